"""The command line's settings."""

from collections.abc import Mapping
from typing import Any

import httpx2
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.problems import CliError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class CliSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ORDERS_", env_ignore_empty=True, frozen=True
    )

    api_url: str = "http://127.0.0.1:8000"
    token: SecretStr | None = None
    """An OIDC access token. Without one the API must let callers say who they are."""
    user: str | None = None
    """Who you are on a development stack."""
    scopes: str | None = None
    """The scopes you have there, separated by blanks; everything if not set."""
    patience: float = Field(30, ge=0)
    """Seconds for which a command is repeated while the service is not available."""

    @field_validator("api_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        try:
            httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise ValueError(str(error)) from None
        if not url.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return url

    @field_validator("token")
    @classmethod
    def _is_not_overheard(
        cls, token: SecretStr | None, others: ValidationInfo
    ) -> SecretStr | None:
        url = httpx2.URL(others.data.get("api_url", ""))
        if token is not None and url.scheme == "http" and url.host not in LOOPBACK:
            raise ValueError(f"is not sent to {url.host} without TLS: use https://")
        return token

    @field_validator("token", "user", "scopes", mode="before")
    @classmethod
    def _is_sendable(cls, text: str | None) -> str | None:
        if text is None:
            return None
        text = text.strip()  # a file's last line may end in a newline
        if not text.isascii() or not text.isprintable():
            raise ValueError("must be ASCII characters in one line")
        return text

    @property
    def headers(self) -> dict[str, str]:
        if self.token is not None:
            return {"Authorization": f"Bearer {self.token.get_secret_value()}"}
        chosen = {"X-Dev-User": self.user, "X-Dev-Scopes": self.scopes}
        return {name: value for name, value in chosen.items() if value is not None}


def load() -> CliSettings:
    """Raises `CliError` with all mistakes at once."""
    try:
        return CliSettings()
    except ValidationError as error:
        mistakes = "; ".join(_said(mistake) for mistake in error.errors())
        raise CliError(f"The environment needs correcting. {mistakes}") from None


def _said(mistake: Mapping[str, Any]) -> str:
    variable = f"ORDERS_{str(mistake['loc'][0]).upper()}"
    return f"{variable}: {mistake['msg'].removeprefix('Value error, ')}"
