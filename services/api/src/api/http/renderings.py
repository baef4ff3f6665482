"""Caches what was shown of subjects until they change.

Every change of a subject raises its `version`, which is its ETag, so what is shown of
one version stays valid. A page writes anew only what has changed since it was last
shown. The key includes the time of the change: after a restore, the same number may be
another change.
"""

from datetime import datetime

Version = tuple[int, datetime]

MOST_BYTES = 8 * 1024 * 1024


class Renderings:
    """The newest version of each recently shown subject, as JSON."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        # Least recently shown first.
        self._known: dict[str, tuple[Version, str]] = {}

    def find(self, subject: str, version: Version) -> str | None:
        known = self._forget(subject)
        if known is None or known[0] != version:
            return None
        self._remember(subject, known)
        return known[1]

    def keep(self, subject: str, version: Version, shown: str) -> None:
        self._forget(subject)
        self._remember(subject, (version, shown))
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._known)))

    def _remember(self, subject: str, known: tuple[Version, str]) -> None:
        self._known[subject] = known
        self._bytes += len(known[1])

    def _forget(self, subject: str) -> tuple[Version, str] | None:
        known = self._known.pop(subject, None)
        if known is not None:
            self._bytes -= len(known[1])
        return known
