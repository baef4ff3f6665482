"""The console's settings."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode
from shared.platform.pages import customers_page
from shared.platform.settings import (
    Duration,
    ObservabilitySettings,
    SettingsError,
    only_https,
)

LOOPBACK = "127.0.0.1"


def _people(value: object) -> object:
    """`support=orders:operate refunds:write; finance=refunds:any`."""
    if not isinstance(value, str):
        return value
    entries = [entry.partition("=") for entry in value.split(";") if entry.strip()]
    return {name.strip(): scopes.strip() for name, _, scopes in entries}


class ConsoleSettings(ObservabilitySettings):
    console_host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the dev stack narrows it
    """The address to listen on; always loopback without an issuer."""
    console_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The port to listen on."""
    console_url: str = "https://console.example.com"
    """Where people reach these pages: what the issuer sends them back to, and the only
    origin whose requests may change something."""
    console_api_url: str = "http://127.0.0.1:8000"
    """The HTTP API, which these pages are a client of."""
    console_auth: Literal["oidc", "disabled-loopback-only"] = "oidc"
    """`oidc` has people sign in at the issuer. Without one, the console starts only if
    told so in these very words, and people say who they are."""
    oidc_issuer: str | None = None
    """The OpenID provider that people sign in at."""
    oidc_client_id: str | None = None
    """Our client there."""
    oidc_client_secret: SecretStr | None = None
    """Its secret; unset, and no file: a public client, which PKCE alone protects."""
    oidc_client_secret_file: Path | None = None
    """The same in a file, read for every token: a rotated secret needs no restart."""
    oidc_scope: str = "openid offline_access orders"
    """What we ask the issuer for."""
    console_session_keys: SecretStr | None = None
    """Keys that sessions are sealed with, separated by blanks: 32 bytes each, in
    URL-safe base64. The first one seals, all of them open."""
    console_session_keys_file: Path | None = None
    """The same in a file."""
    console_session_lives: Duration = timedelta(hours=12)
    """How long somebody stays signed in, whatever they do."""
    console_people: Annotated[dict[str, str], NoDecode, BeforeValidator(_people)] = (
        Field({"dev": "admin"}, validate_default=False)
    )
    """Without an issuer: who one can be, and with which scopes, as
    `grace=orders:operate; flo=refunds:any money:read`. The first is whoever comes."""
    console_shop_name: str = ""
    """The shop's name, at the head of the pages for customers."""
    console_card_url: str | None = None
    """The shop's page that takes a card, such as
    `https://shop.example.com/card?order={order_id}&back={back}`: it makes a payment
    method at the provider and leads to `back`, with `payment_method=pm_…` added. Unset:
    customers' pages take no other card."""
    console_trusted_proxies: str = LOOPBACK
    """The addresses and networks, separated by commas, whose `X-Forwarded-For` is
    believed: the gateway's."""
    console_drain: Duration = timedelta(seconds=1)
    """How long connections are still accepted after the request to stop."""

    @field_validator("console_url", "console_api_url")
    @classmethod
    def _cannot_be_overheard(cls, url: str) -> str:
        return url.rstrip("/") if _is_inside(url) else only_https(url).rstrip("/")

    @field_validator("console_card_url")
    @classmethod
    def _leads_back(cls, url: str | None) -> str | None:
        if url is not None and "{back}" not in url:
            raise ValueError("must have {back} in it")
        return url if url is None else customers_page(url)

    @field_validator("oidc_issuer")
    @classmethod
    def _cannot_be_forged(cls, url: str | None) -> str | None:
        return url if url is None else only_https(url)

    @field_validator("oidc_client_id")
    @classmethod
    def _people_are_known(
        cls, client: str | None, others: ValidationInfo
    ) -> str | None:
        issuer = others.data.get("oidc_issuer", "refused")
        if others.data.get("console_auth") == "oidc" and not (issuer and client):
            raise ValueError(
                "OIDC_ISSUER and OIDC_CLIENT_ID must be set. Only on your own machine,"
                " CONSOLE_AUTH=disabled-loopback-only lets people say who they are"
            )
        return client

    @field_validator("console_session_keys_file")
    @classmethod
    def _there_are_keys(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        if "console_session_keys" in others.data:
            read_session_keys(others.data["console_session_keys"], file)
        return file

    @property
    def bind_host(self) -> str:
        return self.console_host if self.console_auth == "oidc" else LOOPBACK

    @property
    def origin(self) -> str:
        parts = urlsplit(self.console_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def session_keys(self) -> list[Fernet]:
        return read_session_keys(
            self.console_session_keys, self.console_session_keys_file
        )

    def client_secret(self) -> str | None:
        if self.oidc_client_secret_file is not None:
            return self.oidc_client_secret_file.read_text().strip()
        secret = self.oidc_client_secret
        return None if secret is None else secret.get_secret_value()


def _is_inside(url: str) -> bool:
    """Inside a cluster, services speak plain HTTP under names without a dot, or under
    its own domain: network policies say who hears them."""
    host = urlsplit(url).hostname or ""
    return url.startswith("http://") and (
        "." not in host or host.endswith((".svc", ".svc.cluster.local"))
    )


def read_session_keys(given: SecretStr | None, file: Path | None) -> list[Fernet]:
    """Raises `SettingsError`, without the keys."""
    text = given.get_secret_value() if given else ""
    if file is not None:
        try:
            text += "\n" + file.read_text()
        except OSError as error:
            raise SettingsError(f"the session keys: {error.strerror}") from None
    try:
        keys = [Fernet(key) for key in text.split()]
    except ValueError:
        raise SettingsError("a session key is 32 bytes in URL-safe base64") from None
    if not keys:
        raise SettingsError(
            "CONSOLE_SESSION_KEYS or CONSOLE_SESSION_KEYS_FILE must be set"
        )
    return keys
