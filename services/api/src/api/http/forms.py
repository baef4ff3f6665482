"""The patterns of texts, with words for people."""

from typing import Any

from pydantic import StringConstraints

FORMS: dict[str, str] = {}
"""Each pattern in words, so that callers need not read it."""


def written_as(pattern: str, meaning: str, **more: Any) -> StringConstraints:
    """A text type of this pattern; `meaning` completes "must be"."""
    FORMS[pattern] = meaning
    return StringConstraints(pattern=pattern, **more)
