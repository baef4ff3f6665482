"""Limits the size of documents."""

from shared.contracts.errors import Refusal

MOST_LINES = 5_000
"""A second of work, and some hundred pages."""


def check_size(lines: int) -> None:
    """Raises `Refusal` document-too-large."""
    if lines > MOST_LINES:
        raise Refusal(
            "document-too-large",
            f"There are more than {MOST_LINES} lines: ask for fewer parcels at once.",
        )
