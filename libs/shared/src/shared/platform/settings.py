"""Reads settings from the environment: small groups, checked together at the start.

A service's settings inherit the groups that it needs, so that one message names all
mistakes. Secrets are `SecretStr` and have no default.
"""

import base64
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(ValueError):
    """The environment has mistakes; the message names all of them."""


class Settings(BaseSettings):
    """An empty variable counts as unset, as in a Compose file or a ConfigMap.

    What one setting needs of another is checked where the later of the two is
    (`field_validator`): a check of the whole would only run once all else is right, and
    name its mistake a start later.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        populate_by_name=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )


S = TypeVar("S", bound=Settings)


def load_settings(cls: type[S]) -> S:
    """Read `cls` from the environment.

    Raises `SettingsError` with one line for each mistake, with the variable's name but
    without its value, which may be a secret.
    """
    mistakes: dict[str, str] = dict(_missing_files(cls))
    try:
        settings = cls()
    except ValidationError as error:
        for mistake in error.errors(include_input=False, include_url=False):
            mistakes[_place(cls, mistake["loc"])] = without_prefix(mistake["msg"])
    if not mistakes:
        return settings
    raise SettingsError(
        "Settings that must be corrected:\n"
        + "\n".join(f"  {place}: {what}" for place, what in mistakes.items())
    )


def without_prefix(message: str) -> str:
    """The message without pydantic's own prefix."""
    return message.removeprefix("Value error, ")


def _missing_files(cls: type[Settings]) -> Iterator[tuple[str, str]]:
    """Checked only at the start, when files are mounted already. Later they may be
    replaced, and their readers retry."""
    for name, field in cls.model_fields.items():
        variable = variable_name(cls, name)
        path = os.environ.get(variable)
        if Path in get_args(field.annotation) and path and not Path(path).is_file():
            yield variable, "there is no such file"


def _place(cls: type[Settings], location: tuple[int | str, ...]) -> str:
    return variable_name(cls, str(location[0])) if location else "settings"


def variable_name(cls: type[Settings], field_name: str) -> str:
    """The environment variable that a field is read from."""
    field = cls.model_fields.get(field_name)
    alias = field.validation_alias if field else None
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0]).upper()
    return field_name.upper()


def _in_seconds(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_in_seconds)]
"""Seconds (`2.5`), or ISO 8601 (`PT2.5S`)."""


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def only_https(url: str) -> str:
    """Refuse plain HTTP where the answer decides who gets in, because anybody on the
    way could change it. Raises `ValueError`; addresses of this machine may be plain."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return url
    raise ValueError("must begin with https://, or http:// on loopback")


class DatabaseSettings(Settings):
    database_url: SecretStr
    """`postgresql://user:password@host:port/name?sslmode=verify-full&sslrootcert=…`"""
    database_password_file: Path | None = None
    """Read for every new connection, so that a rotated password needs no restart."""
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    """How many connections this process opens at most."""
    database_connect_timeout: Duration = _seconds(3)
    """How long opening a connection may take."""
    database_statement_timeout: Duration = _seconds(10)
    """How long one statement may take."""
    database_pool_timeout: Duration = _seconds(3)
    """How long a step waits for a free connection before it gives up."""

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        scheme = url.get_secret_value().partition("://")[0].partition("+")[0]
        if scheme not in ("postgresql", "postgres"):
            raise ValueError("must begin with postgresql://")
        return url

    def read_database_password(self) -> str:
        if self.database_password_file is None:
            raise SettingsError("DATABASE_PASSWORD_FILE is not set")
        return self.database_password_file.read_text().strip()


KEY_BYTES = 32


class PayloadSettings(Settings):
    temporal_payload_keys: SecretStr | None = None
    """Keys that payloads are encrypted with, each as `id:` and 32 bytes in base64,
    separated by blanks or line ends. Unset, and no file: nothing is encrypted."""
    temporal_payload_keys_file: Path | None = None
    """The same in a file, which is read again when a payload names an unknown key."""
    temporal_payload_active_key: str | None = None
    """The id of the key to write with. Unset: the keys are only used for reading."""
    temporal_payload_strict: bool = False
    """Refuse payloads that are not encrypted. Not before the last workflow that began
    without encryption has ended."""

    def read_payload_keys(self) -> dict[str, bytes]:
        """Keys by id. Raises `SettingsError`."""
        return read_payload_keys(
            self.temporal_payload_keys, self.temporal_payload_keys_file
        )

    @field_validator("temporal_payload_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        read_payload_keys(keys, None)
        return keys

    @field_validator("temporal_payload_keys_file")
    @classmethod
    def _has_keys(cls, file: Path | None) -> Path | None:
        read_payload_keys(None, file)
        return file

    @field_validator("temporal_payload_active_key")
    @classmethod
    def _is_known(cls, active: str | None, others: ValidationInfo) -> str | None:
        sources = ("temporal_payload_keys", "temporal_payload_keys_file")
        if active is None or not others.data.keys() >= set(sources):
            return active  # a refused source may contain it
        if active not in read_payload_keys(*(others.data[name] for name in sources)):
            raise ValueError("it is none of the payload keys")
        return active


def read_payload_keys(given: SecretStr | None, file: Path | None) -> dict[str, bytes]:
    """Keys by id, of both. Raises `SettingsError`."""
    return read_keys("payload", given, file)


def read_keys(
    what: str, given: SecretStr | None, file: Path | None
) -> dict[str, bytes]:
    """The keys of a `what` by id, of both, in their order. Raises `SettingsError`,
    without the keys."""
    text = given.get_secret_value() if given else ""
    if file is not None:
        try:
            text += "\n" + file.read_text()
        except OSError as error:
            raise SettingsError(f"the {what} keys: {error.strerror}") from None
    return dict(_key(what, entry) for entry in text.split())


def _key(what: str, entry: str) -> tuple[str, bytes]:
    name, _, encoded = entry.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if not name or len(key) != KEY_BYTES:
        raise SettingsError(f"a {what} key is `id:` and 32 bytes in base64")
    return name, key


class TemporalSettings(PayloadSettings):
    temporal_host: str = Field(
        "localhost:7233",
        validation_alias=AliasChoices("temporal_host", "temporal_address"),
    )
    """Host and port of Temporal's frontend. `TEMPORAL_ADDRESS` means the same."""
    temporal_namespace: str = "default"
    """The namespace that the order workflows live in."""
    temporal_ui_url: str | None = None
    """The Temporal UI, only used to make links."""
    temporal_api_key: SecretStr | None = None
    """A token to send with every call; it is never renewed."""
    temporal_oidc_token_url: str | None = None
    """Where to get tokens by client credentials; they are renewed in time."""
    temporal_oidc_client_id: str | None = None
    """Our client id at that token endpoint."""
    temporal_oidc_client_secret: SecretStr | None = None
    """The secret of that client; either this or the file."""
    temporal_oidc_client_secret_file: Path | None = None
    """The same in a file, read for every token: a rotated secret needs no restart."""
    temporal_oidc_scope: str | None = None
    """The scope to ask for, in the issuer's words."""
    temporal_tls: bool = False
    """TLS with the system's certificate authorities; any `TEMPORAL_TLS_…` path implies
    it."""
    temporal_tls_server_ca_cert_path: Path | None = None
    """PEM file of the authority that signed the server's certificate."""
    temporal_tls_client_cert_path: Path | None = None
    """PEM file of our own certificate, if the server asks for one."""
    temporal_tls_client_key_path: Path | None = None
    """PEM file of that certificate's private key."""
    temporal_tls_server_name: str | None = None
    """The name in the server's certificate, if it is not the host's."""

    @field_validator("temporal_oidc_token_url")
    @classmethod
    def _secret_is_kept(cls, url: str | None, others: ValidationInfo) -> str | None:
        if url is not None and others.data.get("temporal_api_key") is not None:
            raise ValueError("it and TEMPORAL_API_KEY exclude each other")
        return url if url is None else only_https(url)

    @field_validator("temporal_oidc_client_id")
    @classmethod
    def _we_are_somebody(cls, id: str | None, others: ValidationInfo) -> str | None:
        if id is None and others.data.get("temporal_oidc_token_url"):
            raise ValueError(
                "TEMPORAL_OIDC_TOKEN_URL needs TEMPORAL_OIDC_CLIENT_ID as well"
            )
        return id

    @field_validator("temporal_oidc_client_secret_file")
    @classmethod
    def _and_can_prove_it(
        cls, file: Path | None, others: ValidationInfo
    ) -> Path | None:
        secrets = (file, others.data.get("temporal_oidc_client_secret"))
        if others.data.get("temporal_oidc_token_url") and secrets.count(None) != 1:
            raise ValueError(
                "TEMPORAL_OIDC_TOKEN_URL needs TEMPORAL_OIDC_CLIENT_SECRET or this, and"
                " one of them alone"
            )
        return file

    @field_validator("temporal_tls_server_name")
    @classmethod
    def _nobody_reads_our_token(
        cls, name: str | None, others: ValidationInfo
    ) -> str | None:
        given = others.data
        secrets = ("temporal_api_key", "temporal_oidc_token_url")
        paths = (field for field in given if field.startswith("temporal_tls"))
        is_private = name or any(given[field] for field in paths)
        host = str(given["temporal_host"]).rpartition(":")[0].strip("[]")
        if any(map(given.get, secrets)) and not is_private and host not in _LOOPBACK:
            raise ValueError("TEMPORAL_TLS must be set: a token is not sent in clear")
        return name


class ObservabilitySettings(Settings):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lines below this level are not written."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` is readable in a terminal and JSON everywhere else."""
    metrics_host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the dev stack narrows it
    """The address to serve metrics on, and the worker's probes."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """The port for these."""
    otel_exporter_otlp_endpoint: str | None = None
    """Where to send traces, such as `http://host:4317`. Unset: nothing is traced."""
    otel_service_name: str | None = None
    """The name of this process in traces; `worker` or `api` if unset."""
