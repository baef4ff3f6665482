"""Links in mails: who holds one may do what it names with one subject, for a while.

A link is a signed token (a JWT, RFC 7519) of a kind of its own, so that no other token
is taken for one (RFC 8725, 3.11). It names no person. The mailer signs it, and the API
verifies it with the same keys.
"""

import base64
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from pydantic import SecretStr, field_validator

from shared.platform.settings import Settings, SettingsError, read_keys

log = logging.getLogger(__name__)

KIND = "order-link+jwt"
ALGORITHM = "HS256"
LONGEST_TOKEN = 1000
"""Longer than any of ours; longer tokens are not parsed."""


class LinkRefused(Exception):
    """No valid link: malformed, altered, or signed with an unknown key."""


class LinkExpired(LinkRefused):
    """A valid link that has expired. `link` says in which language to tell that."""

    def __init__(self, link: "Link") -> None:
        super().__init__("expired")
        self.link = link


@dataclass(frozen=True)
class Link:
    process: str
    """The business process that the subject belongs to."""
    subject: str
    """The id of the one subject that the link is for."""
    actions: tuple[str, ...]
    """The actions that it allows."""
    language: str
    """A tag such as `de-AT`: that of the mail."""
    until: float
    """In seconds since the epoch."""
    revision: int = 0
    """The revision of the address that it was mailed to; links to earlier ones are
    void."""


class LinkKeys:
    """Keys by id. The first one signs, all of them verify. The file is read again when
    it changes, so that a key can be replaced or revoked without a restart."""

    def __init__(self, given: SecretStr | None, file: Path | None) -> None:
        """Raises `SettingsError`."""
        self._given = given
        self._file = file
        self._changed = _changed(file)
        self._known = read_link_keys(given, file)

    def sign(self, link: Link) -> str:
        key_id, key = next(iter(self._keys().items()))
        claims = {
            "aud": link.process,
            "sub": link.subject,
            "scope": " ".join(link.actions),
            "lang": link.language,
            "exp": int(link.until),
            "rev": link.revision,
        }
        return jwt.encode(claims, key, ALGORITHM, headers={"kid": key_id, "typ": KIND})

    def open(self, token: str) -> Link:
        """Verify a token and return its link. Raises `LinkRefused`, or `LinkExpired`
        for one that was valid."""
        link = self._verified(token)
        if link.until <= time.time():
            raise LinkExpired(link)
        return link

    def _verified(self, token: str) -> Link:
        try:
            key = self._keys().get(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                raise LinkRefused("signed with an unknown key")
            # `open` checks the end itself, because the answer needs the link's
            # language.
            options: Any = {"verify_exp": False, "verify_aud": False}
            claims = jwt.decode(token, key, [ALGORITHM], options=options)
            return Link(
                process=str(claims["aud"]),
                subject=str(claims["sub"]),
                actions=tuple(str(claims["scope"]).split()),
                language=str(claims["lang"]),
                until=float(claims["exp"]),
                revision=int(claims["rev"]),
            )
        except (jwt.PyJWTError, LookupError, ValueError, TypeError) as error:
            raise LinkRefused("not ours") from error

    def _keys(self) -> dict[str, bytes]:
        changed = _changed(self._file)
        if changed not in (None, self._changed):
            try:
                self._known = read_link_keys(self._given, self._file)
            except SettingsError as error:
                log.warning("the keys of links stay as they were: %s", error)
            self._changed = changed
        return self._known


def is_link(token: str) -> bool:
    """Whether a token claims to be a link, valid or not."""
    if len(token) > LONGEST_TOKEN:
        return False
    # Only the header is read, so that a link with a broken signature is not taken for
    # another token.
    head = token.partition(".")[0]
    try:
        said = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and said.get("typ") == KIND


def _changed(file: Path | None) -> int | None:
    try:
        return None if file is None else file.stat().st_mtime_ns
    except OSError:
        return None


def read_link_keys(given: SecretStr | None, file: Path | None) -> dict[str, bytes]:
    """Keys by id, in their order. Raises `SettingsError`, without the keys."""
    keys = read_keys("link", given, file)
    if not keys:
        raise SettingsError("there is no key that could sign a link")
    return keys


class LinkSettings(Settings):
    order_link_keys: SecretStr | None = None
    """Keys that sign the links in mails, each as `id:` and 32 bytes in base64,
    separated by blanks or line ends. The first one signs, all of them are believed.
    Unset, and no file: no mail has such a link, and none is believed."""
    order_link_keys_file: Path | None = None
    """The same in a file, which is read again when it changes."""

    @field_validator("order_link_keys")
    @classmethod
    def _are_link_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            read_link_keys(keys, None)
        return keys

    @field_validator("order_link_keys_file")
    @classmethod
    def _has_link_keys(cls, file: Path | None) -> Path | None:
        if file is not None:
            read_link_keys(None, file)
        return file

    @property
    def link_keys(self) -> LinkKeys | None:
        """`None` if links are neither sent nor verified."""
        if self.order_link_keys is None and self.order_link_keys_file is None:
            return None
        return LinkKeys(self.order_link_keys, self.order_link_keys_file)
