"""Supports terminals that cannot write every character, by the closest one."""

import codecs
import sys
from io import TextIOWrapper
from unicodedata import normalize

SPELLED = {
    **{"→": "->", "×": "x", "…": "...", "€": "EUR", "–": "-", "—": "-", "’": "'"},
    **{"„": '"', "“": '"', "”": '"', "ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue"},
}


def spell() -> None:
    """Spell out characters that this terminal lacks, instead of failing."""
    codecs.register_error("spelled", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="spelled")


def writes_everything() -> bool:
    return (sys.stdout.encoding or "ascii").lower().startswith("utf")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(map(_nearest, missing)), error.end


def _nearest(character: str) -> str:
    plain = normalize("NFKD", character).encode("ascii", "ignore").decode()
    return SPELLED.get(character) or plain or "?"
