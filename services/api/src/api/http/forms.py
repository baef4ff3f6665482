"""The forms that texts have: a pattern for programs, and words for people."""

from typing import Any

from pydantic import StringConstraints

FORMS: dict[str, str] = {}
"""What a pattern means, in words: a caller who misses it should not have to read it."""


def written_as(pattern: str, meaning: str, **more: Any) -> StringConstraints:
    """A text of this form; `meaning` goes on after "must be"."""
    FORMS[pattern] = meaning
    return StringConstraints(pattern=pattern, **more)
