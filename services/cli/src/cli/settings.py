"""What the command line reads from the environment."""

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from cli.problems import CliError


class CliSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="ORDERS_", env_ignore_empty=True, frozen=True
    )

    api_url: str = Field("http://127.0.0.1:8000", pattern="^https?://")
    token: SecretStr | None = None
    """An OIDC access token. Without one the API must let callers say who they are."""
    user: str | None = None
    """Who one is on a development stack."""
    scopes: str | None = None
    """What one may do there, with blanks between; everything if not set."""
    patience: float = Field(30, ge=0)
    """Seconds for which a command is repeated while the service is not available."""

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
        mistakes = "; ".join(
            f"ORDERS_{str(m['loc'][0]).upper()}: {m['msg']}" for m in error.errors()
        )
        raise CliError(f"The environment needs mending. {mistakes}") from None
