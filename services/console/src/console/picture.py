"""Draws an order: its stations, and its money over time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.api import Json
from console.display import moment, now

DONE, PART, HERE, AHEAD, STOPPED = "done", "part", "here", "ahead", "stopped"
_PACKED = ("packed", "shipped", "delivered", "returned", "lost")
_SHIPPED = ("shipped", "delivered", "returned", "lost")
_ENTERS_HOLD = {
    "stock": "stock",
    "payment": "paid",
    "approval": "confirmed",
    "address": "confirmed",
    "delivery": "delivered",
}
"""The station that a hold of this reason stands before; any other stands before the
first that is not reached."""


@dataclass(frozen=True)
class Station:
    name: str
    title: str
    state: str
    told: str = ""
    """`2 of 3`, or why it stands here."""


def stations(order: Json, parcels: list[Json]) -> list[Station]:
    """From placed to delivered, with the one that the order is at."""
    found = list(_reached(order, parcels))
    held = [hold["reason"] for hold in order["holds"]]
    at = next((i for i, (_, _, share, _) in enumerate(found) if share < 1), len(found))
    for reason in held:
        name = _ENTERS_HOLD.get(reason)
        at = min([at, *(i for i, s in enumerate(found) if s[0] == name and s[2] < 1)])
    is_over = order["status"] in ("completed", "cancelled")
    return [
        Station(name, title, _state(share, i == at, held, is_over), told)
        for i, (name, title, share, told) in enumerate(found)
    ]


def _state(share: float, is_here: bool, held: list[str], is_over: bool) -> str:
    if share >= 1:
        return DONE
    if is_here and not is_over:
        return STOPPED if held else HERE
    return PART if share > 0 else AHEAD


def _reached(order: Json, parcels: list[Json]) -> Iterator[tuple[str, str, float, str]]:
    wanted = sum(line["quantity"] - line["cancelled"] for line in order["lines"])
    kept = sum(line["reserved"] + line["shipped"] for line in order["lines"])
    alive = [parcel for parcel in parcels if parcel["status"] != "cancelled"]
    costs = order["totals"]["total"]["amount"] > 0
    is_paid = not costs or order["payment_status"] != "unpaid"
    confirmed = order["status"] in ("confirmed", "completed")

    # Once the order is over, another parcel or a refund stands for each of these.
    gone = ("lost", "returned") if order["status"] == "completed" else ()
    due = [parcel for parcel in alive if parcel["status"] not in gone]

    def share(parcels: list[Json], statuses: tuple[str, ...]) -> tuple[float, str]:
        n = sum(parcel["status"] in statuses for parcel in parcels)
        return (n / len(parcels) if parcels else 0.0), _of(n, len(parcels))

    yield "placed", "Placed", 1, ""
    yield "stock", "Reserved", kept / wanted if wanted else 1, _of(kept, wanted)
    yield "paid", "Authorised", float(is_paid), ""
    yield "confirmed", "Confirmed", float(confirmed), ""
    yield "packed", "Packed", *share(alive, _PACKED)
    yield "shipped", "On its way", *share(alive, _SHIPPED)
    yield "delivered", "Delivered", *share(due, ("delivered",))


def _of(n: int, whole: int) -> str:
    return f"{n} of {whole}" if whole and 0 < n < whole else ""


# ── money ───────────────────────────────────────────────────────────────────────

WIDTH, HEIGHT = 600, 120
_KINDS = {
    "payment.authorized": "authorised",
    "payment.captured": "captured",
    "refund.succeeded": "refunded",
}


@dataclass(frozen=True)
class Chart:
    """Steps over time, as points of an SVG polyline by kind."""

    lines: Mapping[str, str]
    ends: Mapping[str, int]
    """Minor units at the end."""
    began: str


def money_chart(order: Json, events: list[Json]) -> Chart | None:
    """`None` if no money has moved."""
    sums: dict[str, int] = {}
    steps: dict[str, list[tuple[float, int]]] = {}
    for event in events:
        kind = _KINDS.get(event["type"])
        amount = event["data"].get("amount")
        if kind is None or not isinstance(amount, int):
            continue
        sums[kind] = sums.get(kind, 0) + amount
        steps.setdefault(kind, []).append((moment(event["at"]).timestamp(), sums[kind]))
    if not steps:
        return None
    first = moment(order["created_at"]).timestamp()
    last = max(now().timestamp(), first + 1)
    most = max(max(sums.values()), order["totals"]["total"]["amount"], 1)
    lines = {kind: _points(points, first, last, most) for kind, points in steps.items()}
    return Chart(lines, sums, order["created_at"])


def _points(
    steps: list[tuple[float, int]], first: float, last: float, most: int
) -> str:
    def x(at: float) -> float:
        return 4 + (at - first) / (last - first) * (WIDTH - 8)

    def y(amount: int) -> float:
        return HEIGHT - 6 - amount / most * (HEIGHT - 14)

    points: list[tuple[float, float]] = [(x(first), y(0))]
    level = 0
    for at, amount in steps:
        points += [(x(at), y(level)), (x(at), y(amount))]
        level = amount
    points.append((x(last), y(level)))
    return " ".join(f"{px:.1f},{py:.1f}" for px, py in points)


def movements_chart(movements: list[Json], location: str | None = None) -> Any:
    """The units on hand over time, oldest first: points of a polyline."""
    rows = [m for m in reversed(movements) if location in (None, m["location"])]
    if len(rows) < 2:
        return None
    level, levels = 0, []
    for row in rows:
        level += row["on_hand"]
        levels.append(level)
    low, high = min(0, *levels), max(1, *levels)
    step, span = (WIDTH - 8) / (len(levels) - 1), (high - low) / (HEIGHT - 14)
    return " ".join(
        f"{4 + i * step:.1f},{HEIGHT - 6 - (v - low) / span:.1f}"
        for i, v in enumerate(levels)
    )
