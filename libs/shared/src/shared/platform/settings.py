"""Settings from the environment: small groups, checked together at the start.

A service's settings inherit the groups it needs, so that one message names every
mistake at once. Secrets are `SecretStr` and have no default.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment does not describe a service that could run."""


class Settings(BaseSettings):
    """An empty variable counts as unset, as in a Compose file or a ConfigMap."""

    model_config = SettingsConfigDict(
        frozen=True, env_ignore_empty=True, populate_by_name=True, extra="ignore"
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
        + "\n".join(f"  {_variable(cls, m['loc'])}: {m['msg']}" for m in mistakes)
    )


def _variable(cls: type[Settings], location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    field = cls.model_fields.get(name)
    alias = field.validation_alias if field else None
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0]).upper()
    return name.upper() or "settings"


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


class DatabaseSettings(Settings):
    database_url: SecretStr
    """`postgresql://user:password@host:port/name?sslmode=verify-full&sslrootcert=…`"""
    database_password_file: Path | None = None
    """Read for every new connection, so that a rotated password needs no restart."""
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    database_connect_timeout: timedelta = _seconds(3)
    database_statement_timeout: timedelta = _seconds(10)
    database_pool_timeout: timedelta = _seconds(3)
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
    temporal_namespace: str = "default"
    temporal_ui_url: str | None = None
    """Where people look at a workflow; only used to make links."""
    temporal_api_key: SecretStr | None = None
    temporal_tls: bool = False
    temporal_tls_server_ca_cert_path: Path | None = None
    temporal_tls_client_cert_path: Path | None = None
    temporal_tls_client_key_path: Path | None = None
    temporal_tls_server_name: str | None = None


class ObservabilitySettings(Settings):
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` is readable in a terminal and JSON everywhere else."""
    metrics_host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the dev stack narrows it
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 8080
