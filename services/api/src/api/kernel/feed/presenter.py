"""An event of the feed as it is shown, and as webhooks bring it."""

from collections.abc import Mapping
from typing import Any

from api.kernel.feed.queries import Position
from api.kernel.feed.schemas import FeedEvent

OF_STAFF = frozenset({"assignee"})
"""Data of events for the order's timeline alone: names of staff."""


def show_event(event: Mapping[str, Any], hrefs: Mapping[str, str]) -> FeedEvent:
    """`hrefs`: where subjects are found, by the prefix of their ids."""
    subject: str = event["subject"]
    href = hrefs.get(subject.partition("_")[0])
    return FeedEvent.model_validate(
        {
            **event,
            "id": str(Position.of(event)),
            "data": {k: v for k, v in event["data"].items() if k not in OF_STAFF},
            "href": href and href.format(subject),
        }
    )
