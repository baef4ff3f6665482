"""Keeps sessions in a sealed cookie, so that no process stores anything about anybody.

The browser holds the tokens and cannot read them; each request decrypts them again.
That needs no table, no sticky connections and no cleaning up
(docs/adr/0070-the-console-is-a-client.md).
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from starlette.requests import HTTPConnection
from starlette.responses import Response

LONGEST_COOKIE = 4000
"""Browsers drop a longer one without a word."""
RENEW_SECONDS = 30.0
"""An access token is renewed this long before its end."""


@dataclass(frozen=True)
class Session:
    """`access` is empty without an issuer; `user` and `scopes` are then what somebody
    says of themselves. Times are in seconds since the epoch."""

    user: str
    scopes: str
    began: float
    access: str = ""
    refresh: str = ""
    until: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """The headers that name the person to the API."""
        if self.access:
            return {"Authorization": f"Bearer {self.access}"}
        return {"X-Dev-User": self.user, "X-Dev-Scopes": self.scopes}

    @property
    def is_stale(self) -> bool:
        return bool(self.access) and time.time() > self.until - RENEW_SECONDS

    def renewed(self, access: str, refresh: str, until: float) -> "Session":
        return replace(self, access=access, refresh=refresh, until=until)


class TooLarge(Exception):
    """The issuer's tokens do not fit into a cookie."""


class Cookies:
    """Encrypts cookies, and decrypts what browsers send."""

    def __init__(self, keys: list[Fernet], *, secure: bool, lives: timedelta) -> None:
        self._seal = MultiFernet(keys)
        self._secure = secure
        self._lives = lives
        # A browser takes the prefix over HTTPS alone: no other host, and no plain HTTP
        # on the way, can plant a session (RFC 6265bis §4.1.3).
        self._prefix = "__Host-" if secure else ""

    def session(self, request: HTTPConnection) -> Session | None:
        """The session; `None` if nobody is signed in, or it has ended."""
        known = self.read(request, "console", self._lives)
        if known is None:
            return None
        session = Session(**known)
        is_over = time.time() - session.began > self._lives.total_seconds()
        return None if is_over else session

    def keep(self, response: Response, session: Session) -> None:
        self.write(response, "console", asdict(session))

    def read(
        self, request: HTTPConnection, name: str, lives: timedelta
    ) -> dict[str, Any] | None:
        sealed = request.cookies.get(self._prefix + name)
        if not sealed:
            return None
        try:
            opened = self._seal.decrypt(sealed, ttl=int(lives.total_seconds()))
        except (InvalidToken, ValueError):  # the latter if it is not ASCII
            return None
        known: dict[str, Any] = json.loads(opened)
        # Seals name the kind of cookie, so that none is taken for another.
        return known["is"] if known["name"] == name else None

    def write(self, response: Response, name: str, value: dict[str, Any]) -> None:
        """Raises `TooLarge`."""
        content = {"name": name, "is": value}
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        sealed = self._seal.encrypt(text.encode()).decode()
        if len(sealed) > LONGEST_COOKIE:
            raise TooLarge(f"{len(sealed)} bytes")
        response.set_cookie(
            self._prefix + name,
            sealed,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def drop(self, response: Response, name: str) -> None:
        response.delete_cookie(
            self._prefix + name, path="/", secure=self._secure, httponly=True
        )
