"""Everything a run decides, from its seed: what people want, and what goes wrong.

Each order has dice of its own, so that what becomes of one does not depend on how fast
another one was. The same seed makes the same decisions; only the moments differ.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Literal

Json = dict[str, Any]


class Part(StrEnum):
    """What can be killed and frozen."""

    WORKER = "worker"
    API = "api"
    DELIVERER = "deliverer"
    POSTGRES = "postgres"
    TEMPORAL = "temporal"
    PAYMENTS = "payments"
    CARRIER = "carrier"
    MAIL = "mail"


@dataclass(frozen=True, order=True)
class Link:
    """Who calls whom; between the two stands a proxy."""

    caller: Part
    callee: Part

    def __str__(self) -> str:
        return f"{self.caller} → {self.callee}"


LINKS = tuple(
    itertools.starmap(
        Link,
        [
            (Part.WORKER, Part.POSTGRES),
            (Part.WORKER, Part.TEMPORAL),
            (Part.WORKER, Part.PAYMENTS),
            (Part.WORKER, Part.CARRIER),
            (Part.WORKER, Part.MAIL),
            (Part.DELIVERER, Part.POSTGRES),
            (Part.API, Part.POSTGRES),
            (Part.API, Part.TEMPORAL),
            (Part.API, Part.CARRIER),
            (Part.PAYMENTS, Part.API),
            (Part.CARRIER, Part.API),
        ],
    )
)


# ── what people want ────────────────────────────────────────────────────────────────

Stage = Literal["placed", "confirmed", "packed"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What becomes of one order, as far as people decide it."""

    number: int
    lines: dict[str, int]
    card: str
    # For whoever's first card fails; None gives up.
    second_card: str | None
    ships_abroad: bool
    approved: bool
    # When all of it is cancelled, or one unit of its first line.
    cancel_at: Stage | None
    cancel_all: bool
    # One unit of the first line is not found in the warehouse.
    short_pick: bool
    # Nobody packs it: it is still open when the run is over.
    left_unpacked: bool
    # The carrier scans by hand what it usually does by itself.
    scan: Literal["delivered", "lost"] | None
    reship: bool
    # Once it has arrived.
    sends_back: bool
    goodwill: int
    # Its parcel is moved to the other warehouse, where all of it lies there, too.
    moves: bool


_CARDS = {
    "pm_card_visa": 60,
    "pm_card_visa_multicapture": 15,
    "pm_card_pendingRefund": 10,
    "pm_card_chargeDeclined": 7,
    "pm_card_captureFails": 4,
    "pm_card_authenticationRequired": 4,
}
_SKUS = ("TEA-ASSAM", "TEA-SENCHA", "MUG-BLUE", "GIFT-CARD-BOX", "KETTLE")


def wish(seed: int, number: int) -> Wish:
    dice = Random(f"{seed}/order/{number}")

    def chance(percent: int) -> bool:
        return dice.random() * 100 < percent

    skus = dice.sample(_SKUS, dice.choice((1, 1, 2, 2, 3)))
    (card,) = dice.choices(tuple(_CARDS), tuple(_CARDS.values()))
    return Wish(
        number=number,
        lines={sku: dice.randint(1, 3) for sku in skus},
        card=card,
        second_card="pm_card_visa" if chance(70) else None,
        ships_abroad=chance(12),
        approved=chance(70),
        cancel_at=dice.choice(("placed", "confirmed", "packed"))
        if chance(25)
        else None,
        cancel_all=chance(50),
        short_pick=chance(8),
        left_unpacked=chance(6),
        scan=dice.choice(("delivered", "lost")) if chance(15) else None,
        reship=chance(50),
        sends_back=chance(25),
        goodwill=dice.randint(1, 400) if chance(20) else 0,
        moves=chance(12),
    )


# ── what goes wrong ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Kill:
    """SIGKILL; the supervisor starts it again."""

    part: Part

    def __str__(self) -> str:
        return f"kill {self.part}"


@dataclass(frozen=True)
class Stop:
    """SIGTERM, and a new start once it has drained, as by a release."""

    part: Part

    def __str__(self) -> str:
        return f"stop {self.part}"


@dataclass(frozen=True)
class Freeze:
    """SIGSTOP and, later, SIGCONT."""

    part: Part
    seconds: float

    def __str__(self) -> str:
        return f"freeze {self.part} for {self.seconds:.1f} s"


@dataclass(frozen=True)
class Disturb:
    """The network between two parts is slow, cuts off, or swallows everything."""

    link: Link
    how: Literal["delay", "drop", "black-hole"]
    seconds: float

    def __str__(self) -> str:
        return f"{self.how} {self.link} for {self.seconds:.1f} s"


Fault = Kill | Stop | Freeze | Disturb
Trouble = tuple[Fault, ...]
"""What goes wrong at the same time."""


RELEASED = (Part.WORKER, Part.API, Part.DELIVERER)
"""Ours: what a release replaces, and what must drain."""


OURS_AND_THEIR_SERVERS = (*RELEASED, Part.POSTGRES, Part.TEMPORAL)


def each_part_once(
    seed: int, killed: Iterable[Part] = Part, stopped: Iterable[Part] = RELEASED
) -> Sequence[Trouble]:
    """Every part is killed, and every part of ours is stopped, in an order of the
    seed's choice."""
    faults: list[Fault] = [*map(Kill, killed), *map(Stop, stopped)]
    Random(f"{seed}/each").shuffle(faults)
    return [(fault,) for fault in faults]


def troubles(seed: int) -> Iterator[Trouble]:
    """Endless; one fault at a time or two at once."""
    dice = Random(f"{seed}/troubles")
    while True:
        first = _fault(dice)
        second = _fault(dice)
        both = dice.random() < 0.4 and _place(first) != _place(second)
        yield (first, second) if both else (first,)


def _fault(dice: Random) -> Fault:
    seconds = dice.uniform(2, 12)
    match dice.choice(("kill", "stop", "freeze", "disturb")):
        case "kill":
            return Kill(dice.choice(tuple(Part)))
        case "stop":
            return Stop(dice.choice(RELEASED))
        case "freeze":
            return Freeze(dice.choice(tuple(Part)), seconds)
    how: Literal["delay", "drop", "black-hole"] = dice.choice(
        ("delay", "drop", "black-hole")
    )
    return Disturb(dice.choice(LINKS), how, seconds)


def _place(fault: Fault) -> Part | Link:
    return fault.link if isinstance(fault, Disturb) else fault.part


def pauses(seed: int) -> Iterator[float]:
    """Seconds of calm between two troubles, and none every now and then."""
    dice = Random(f"{seed}/pauses")
    while True:
        yield max(0.0, dice.uniform(-2, 6))


PEERS_MISBEHAVE: dict[Part, list[Json]] = {
    Part.PAYMENTS: [
        {"kind": "drop_answer", "path": "^POST", "probability": 0.06},
        {"kind": "stored_error", "path": "^POST", "probability": 0.04},
        {"kind": "stored_error_after_effect", "path": "^POST", "probability": 0.04},
        {"kind": "error", "probability": 0.02},
        {"kind": "rate_limit", "probability": 0.02},
        {"kind": "slow", "probability": 0.03, "delay_ms": 1500},
        {"kind": "webhook_thrice", "probability": 0.3},
        {"kind": "webhook_reversed", "probability": 0.3, "delay_ms": 700},
        {"kind": "webhook_late", "probability": 0.1, "delay_ms": 4000},
    ],
    Part.CARRIER: [
        {"kind": "drop_answer", "path": "^POST /v1/labels", "probability": 0.1},
        {"kind": "error", "probability": 0.03},
        {"kind": "slow", "probability": 0.03, "delay_ms": 1500},
        {"kind": "webhook_thrice", "probability": 0.3},
        {"kind": "webhook_reversed", "probability": 0.3, "delay_ms": 700},
        {"kind": "webhook_late", "probability": 0.1, "delay_ms": 3000},
    ],
}
"""What the simulators do all the time while a run lasts."""


def misbehaviour(seed: int, peer: Part) -> list[Json]:
    dice = Random(f"{seed}/{peer}")
    return [fault | {"seed": dice.getrandbits(31)} for fault in PEERS_MISBEHAVE[peer]]
