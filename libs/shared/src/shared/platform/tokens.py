"""Fetches our own access tokens, by client credentials (RFC 6749 §4.4)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
from pydantic import BaseModel, ConfigDict, Field, SecretStr

ASK_SECONDS = 5.0
USED_UP = 2 / 3
"""Part of its life after which a token is replaced: a third is left for retries."""


class NoToken(Exception):
    """The issuer gives no token at the moment; the message holds no secret."""


@dataclass(frozen=True)
class Token:
    value: SecretStr
    renew_at: float
    """On the clock of its source."""


class _Granted(BaseModel):
    """RFC 6749 §5.1, as far as it matters here. An issuer need not say how long a
    token lives; five minutes are less than any that we know gives."""

    model_config = ConfigDict(hide_input_in_errors=True)

    access_token: SecretStr = Field(min_length=1)
    expires_in: float = Field(300, gt=0)


class ClientCredentials:
    """Asks the issuer for tokens. A secret in a file is read each time, so that a new
    one needs no restart."""

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: SecretStr | Path,
        scope: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._scope = scope
        self.clock = clock
        # No proxy from the environment may come between us and the issuer.
        self._http = httpx2.AsyncClient(timeout=ASK_SECONDS, trust_env=False)

    async def fetch(self) -> Token:
        """A new token. Raises `NoToken`."""
        try:
            answer = await self._http.post(self._url, data=self._request())
            answer.raise_for_status()
            granted = _Granted.model_validate_json(answer.content)
        except httpx2.HTTPStatusError as error:
            status = error.response.status_code
            raise NoToken(f"the issuer answers {status}{_reason(error)}") from None
        except (httpx2.HTTPError, OSError, ValueError) as error:
            # The answer is malformed, or the file holds a secret that is no text.
            raise NoToken(f"no answer to use: {type(error).__name__}") from None
        return Token(granted.access_token, self.clock() + granted.expires_in * USED_UP)

    async def close(self) -> None:
        await self._http.aclose()

    def _request(self) -> dict[str, str]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._read_secret(),
        }
        return form | ({"scope": self._scope} if self._scope else {})

    def _read_secret(self) -> str:
        if isinstance(self._secret, Path):
            return self._secret.read_text().strip()
        return self._secret.get_secret_value()


def _reason(error: httpx2.HTTPStatusError) -> str:
    """`invalid_client` and the like (RFC 6749 §5.2), where it is one of those words."""
    try:
        reason = error.response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    known = isinstance(reason, str) and reason.isascii() and len(reason) < 40
    return f": {reason}" if known and reason.replace("_", "").isalpha() else ""
