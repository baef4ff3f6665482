"""The API's settings."""

import base64
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import limits
from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode
from shared.platform.addresses import Network, networks
from shared.platform.links import LinkSettings
from shared.platform.pages import customers_page
from shared.platform.settings import (
    DatabaseSettings,
    Duration,
    ObservabilitySettings,
    PayloadSettings,
    Settings,
    TemporalSettings,
    only_https,
    read_payload_keys,
)

LOOPBACK = "127.0.0.1"
LONGEST_WINDOW_SECONDS = 60
"""The memory for limits grows with the subjects of one window."""


def _words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


_TARIFF = re.compile(r"([^/=]+)/([A-Z]{2}|\*)/([A-Z]{3})=(\d{1,12})", re.ASCII)


def _tariffs(value: object) -> object:
    if not isinstance(value, str):
        return value
    entries = [(entry, _TARIFF.fullmatch(entry)) for entry in value.split()]
    if any(found is None for _, found in entries):
        raise ValueError("must be entries such as standard/DE/EUR=490")
    tariffs = {found.group(1, 2, 3): int(found[4]) for _, found in entries if found}
    if len(tariffs) < len(entries):
        raise ValueError("must name each method, country and currency once")
    return tariffs


def _http(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("must begin with https:// or http://")
    return url


class AccessSettings(Settings):
    """Settings of every process that serves HTTP to others: who may call, and where."""

    api_host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the dev stack narrows it
    """The address to listen on; always loopback without an issuer."""
    api_port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The port to listen on."""
    public_url: str = "https://api.example.com"
    """Where callers reach this API; the base of the problem types' URLs."""
    api_auth: Literal["oidc", "disabled-loopback-only"] = "oidc"
    """`oidc` checks access tokens. Without an issuer, the API starts only if told so in
    these very words."""
    oidc_issuer: str | None = None
    """The `iss` of the access tokens that are accepted."""
    oidc_audience: str | None = None
    """The `aud` of the access tokens that are accepted."""
    oidc_clients: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """The clients, separated by blanks, whose access tokens are accepted, by their
    `azp`. Unset: the one that is called as the audience, the page /docs, and tokens
    that name no client."""
    oidc_jwks_url: str | None = None
    """Where the issuer's keys are. Unset: the issuer itself is asked."""
    api_trusted_proxies: str = LOOPBACK
    """The addresses and networks, separated by commas, whose `X-Forwarded-For` is
    believed: the gateway's. Limits by address count the one that it names."""
    api_client_timeout: Duration = timedelta(seconds=30)
    """How long a client may take to send a request, and to read the answer."""
    api_drain: Duration = timedelta(seconds=1)
    """How long connections are still accepted after the request to stop, so that a load
    balancer can look elsewhere."""

    @field_validator("public_url")
    @classmethod
    def _is_reachable(cls, url: str) -> str:
        return _http(url).rstrip("/")

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _cannot_be_forged(cls, url: str | None) -> str | None:
        return url if url is None else only_https(url)

    @field_validator("oidc_audience")
    @classmethod
    def _callers_are_known(
        cls, audience: str | None, others: ValidationInfo
    ) -> str | None:
        # A missing issuer is another setting's mistake.
        issuer = others.data.get("oidc_issuer", "refused")
        if others.data.get("api_auth") == "oidc" and not (issuer and audience):
            raise ValueError(
                "OIDC_ISSUER and OIDC_AUDIENCE must be set. Only on your own machine,"
                " API_AUTH=disabled-loopback-only lets callers say who they are"
            )
        return audience

    @property
    def own_clients(self) -> tuple[str, ...]:
        """The clients that are accepted without being listed."""
        return () if self.oidc_audience is None else (self.oidc_audience,)

    @property
    def bind_host(self) -> str:
        return self.api_host if self.api_auth == "oidc" else LOOPBACK


def _networks(value: object) -> object:
    return networks(value) if isinstance(value, str) else value


class WebhookSettings(Settings):
    webhook_networks: Annotated[
        tuple[Network, ...], NoDecode, BeforeValidator(_networks)
    ] = ()
    """Networks that webhooks may be sent to beside public addresses, and by http too,
    such as `127.0.0.0/8` on a machine of one's own. Unset, as in production: none."""


class DelivererSettings(DatabaseSettings, WebhookSettings, ObservabilitySettings):
    """The deliverer's settings."""


class ApiSettings(
    DatabaseSettings,
    TemporalSettings,
    AccessSettings,
    LinkSettings,
    WebhookSettings,
    ObservabilitySettings,
):
    oidc_docs_client_id: str | None = None
    """The issuer's public client, with which people sign in on the page /docs."""
    oidc_docs_scope: str = "openid orders"
    """The scope that the page /docs asks for."""

    stripe_webhook_secret: SecretStr | None = None
    """The secret that the payment provider signs its webhooks with. Unset: they are
    refused."""
    carrier_webhook_secret: SecretStr | None = None
    """The key that the carrier simulator signs its webhooks with: `whsec_` and the key
    in base64, as in Standard Webhooks. Unset: they are refused."""
    easypost_webhook_secret: SecretStr | None = None
    """The secret that EasyPost signs its webhooks with. Unset: they are refused."""
    carrier_api_base: str | None = None
    """Where the carrier simulator is, to fetch labels from."""
    label_base: str = "https://easypost-files.s3.us-west-2.amazonaws.com"
    """Where EasyPost keeps its labels; none is fetched from elsewhere."""

    api_cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """The origins, separated by blanks, whose web pages may call this API, such as
    `https://shop.example.com`."""
    shop_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """The shop's own origins, separated by blanks: `payment.return_url` leads to one of
    them, or to `CONSOLE_URL`. With neither, no `return_url` is accepted."""
    console_url: str | None = None
    """The address of the console, which banks may also lead customers back to."""
    order_line_units: int = Field(1_000, ge=1)
    """How many units one line of an order may have."""
    customer_unpaid_units: int = Field(2_000, ge=1)
    """How many units a customer may have in unpaid orders."""
    shipping_tariffs: Annotated[
        dict[tuple[str, str, str], int], NoDecode, BeforeValidator(_tariffs)
    ] = Field(default_factory=dict)
    """Shipping prices for methods and currencies that `PUT /v1/shipping-methods` has no
    rates for, in minor units: `standard/DE/EUR=490 standard/*/EUR=990`, by method,
    country (`*`: any other) and currency. Methods in neither are offered only to
    callers who set prices (`orders:price`)."""
    export_rows: int = Field(1_000_000, ge=1)
    """How many rows an export may have: about 150 MB as CSV, and a tenth of that in the
    database for a day."""
    api_rate_limit: str | None = None
    """How many requests one subject may make to one process, such as `50/second`.
    Unset: any number."""
    api_stranger_limit: str = "600/minute"
    """How many requests without a good token, or webhooks without a good signature, one
    address may make to one process."""
    api_link_limit: str = "240/minute"
    """How many requests the links of one order may make to one process. A page of an
    order makes about five."""
    api_command_timeout: Duration = timedelta(seconds=5)
    """How long a caller waits for a worker; then the answer is 503, or 202 for a parcel
    whose packing has begun."""
    api_start_timeout: Duration = timedelta(seconds=1.5)
    """How long Temporal may take to start the workflow of an order that was placed. A
    worker starts those that are left, within seconds."""
    api_fail_fast_after: Duration = Field(
        timedelta(seconds=1.25),
        validation_alias=AliasChoices("api_fail_fast_after", "api_patience"),
    )
    """If an answer takes longer, the API asks the database or Temporal whether it is
    there; without an answer for as long again, the caller gets 503. `API_PATIENCE`
    means the same."""

    @field_validator("carrier_api_base", "label_base")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        return url if url is None else _http(url)

    @field_validator("console_url")
    @classmethod
    def _is_a_page(cls, url: str | None) -> str | None:
        return url if url is None else customers_page(url).rstrip("/")

    @field_validator("shop_origins")
    @classmethod
    def _are_pages(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(customers_page, origins))

    @field_validator("api_cors_origins", "shop_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, host, *rest = urlsplit(origin)
            if scheme not in ("https", "http") or not host or any(rest) or "*" in host:
                raise ValueError("must be origins such as https://shop.example.com")
        return origins

    @field_validator("api_rate_limit", "api_stranger_limit", "api_link_limit")
    @classmethod
    def _is_rate(cls, rate: str | None) -> str | None:
        if rate is not None and (
            limits.parse(rate).get_expiry() > LONGEST_WINDOW_SECONDS
        ):
            raise ValueError("must be a number per second or per minute")
        return rate

    @field_validator("carrier_webhook_secret")
    @classmethod
    def _is_standard(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            key = secret.get_secret_value().removeprefix("whsec_")
            try:
                known = base64.b64decode(key, validate=True)
            except ValueError:
                known = b""
            # With an empty key everybody could sign.
            if not known:
                raise ValueError("must be whsec_ and base64")
        return secret

    @property
    def own_clients(self) -> tuple[str, ...]:
        docs = self.oidc_docs_client_id
        return (*super().own_clients, *(() if docs is None else (docs,)))

    @property
    def return_origins(self) -> tuple[str, ...]:
        """The origins that a bank may lead a buyer back to."""
        return (*self.shop_origins, *([self.console_url] if self.console_url else []))

    @property
    def rate_limit(self) -> limits.RateLimitItem | None:
        return limits.parse(self.api_rate_limit) if self.api_rate_limit else None


class CodecSettings(PayloadSettings, AccessSettings, ObservabilitySettings):
    temporal_namespace: str = "default"
    """The namespace whose payloads are decoded; those of others are not."""
    temporal_ui_url: str | None = None
    """Where the UI is; a browser's scripts may call from there and nowhere else."""

    @field_validator("temporal_payload_keys_file")
    @classmethod
    def _there_are_keys(cls, file: Path | None, others: ValidationInfo) -> Path | None:
        given = "temporal_payload_keys"
        if given in others.data and not read_payload_keys(others.data[given], file):
            raise ValueError(
                "TEMPORAL_PAYLOAD_KEYS or TEMPORAL_PAYLOAD_KEYS_FILE must be set"
            )
        return file
