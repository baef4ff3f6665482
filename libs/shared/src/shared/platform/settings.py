"""Settings from the environment: small groups, checked together at the start.

A service's settings inherit the groups it needs, so that one message names every
mistake at once. Secrets are `SecretStr` and have no default.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment does not describe a service that could run."""


class Settings(BaseSettings):
    """An empty variable counts as unset, as in a Compose file or a ConfigMap."""

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

    Raises `SettingsError` with one line a mistake, by the variable's name and
    without the values, which may be secrets.
    """
    try:
        return cls()
    except ValidationError as error:
        mistakes = error.errors(include_input=False, include_url=False)
    raise SettingsError(
        "Settings that must be mended:\n"
        + "\n".join(f"  {_place(cls, m['loc'])}: {m['msg']}" for m in mistakes)
    )


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
    """For what decides who gets in: on the way, plain HTTP can be changed by anybody.
    Raises `ValueError`; this machine's own addresses are let through."""
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
    """Connections that this process opens at the most."""
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


class TemporalSettings(Settings):
    temporal_host: str = Field(
        "localhost:7233",
        validation_alias=AliasChoices("temporal_host", "temporal_address"),
    )
    """Host and port of Temporal's frontend. TEMPORAL_ADDRESS means the same."""
    temporal_namespace: str = "default"
    """The namespace that the order workflows live in."""
    temporal_ui_url: str | None = None
    """Where people look at a workflow; only used to make links."""
    temporal_api_key: SecretStr | None = None
    """A token that is sent with every call."""
    temporal_tls: bool = False
    """TLS with the system's certificate authorities; any path below implies it."""
    temporal_tls_server_ca_cert_path: Path | None = None
    """PEM file of the authority that signed the server's certificate."""
    temporal_tls_client_cert_path: Path | None = None
    """PEM file of our own certificate, where the server asks for one."""
    temporal_tls_client_key_path: Path | None = None
    """PEM file of its private key."""
    temporal_tls_server_name: str | None = None
    """The name in the server's certificate, where it is not the host's."""


class ObservabilitySettings(Settings):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lines below this are not written."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` is readable in a terminal and JSON everywhere else."""
    metrics_host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the dev stack narrows it
    """The address that metrics are served on; the worker's probes as well."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Its port."""
    otel_exporter_otlp_endpoint: str | None = None
    """`http://host:4317`, where traces go. Unset: nothing is traced."""
    otel_service_name: str | None = None
    """By what name traces know this process; `worker` or `api` when unset."""
