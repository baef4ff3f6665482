"""Where a parcel is, and when it has ended or is missed."""

from datetime import datetime, timedelta

SCAN_DUE = timedelta(hours=48)
PARCEL_LOST_AFTER = timedelta(days=14)

DELIVERED = "delivered"
BACK = "return_to_sender"
NOT_DELIVERED = ("failure", "lost", BACK)
TRACKING_RANK = {
    "unknown": 0,
    "pre_transit": 1,
    "in_transit": 2,
    "out_for_delivery": 3,
    "available_for_pickup": 3,
    "failure": 4,
    "lost": 5,
    BACK: 6,
    DELIVERED: 7,
}
"""How far along a parcel is, by a carrier's words (EasyPost's)."""


def is_news(
    status: str, at: datetime, seen: str | None, seen_at: datetime | None
) -> bool:
    """Whether a scan adds something: it is later, or at the same moment further along.
    `delivered` is believed whatever the clocks say, and only a later scan can
    contradict it."""
    if seen is None or seen_at is None:
        return True
    if seen == DELIVERED:
        return status in NOT_DELIVERED and at > seen_at
    if status == DELIVERED and seen != BACK:
        return True
    return (at, _rank(status)) > (seen_at, _rank(seen))


def is_under_way(status: str) -> bool:
    """The carrier has the parcel in hand, or had."""
    return _rank(status) >= TRACKING_RANK["in_transit"]


def _rank(status: str) -> int:
    return TRACKING_RANK.get(status, 0)
