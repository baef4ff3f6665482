"""How long it takes to choose where an order of 500 lines comes from, by the pure
policy that placing and the worker ask. Processor time: nothing is waited for."""

import gc
import statistics
import time
from collections.abc import Mapping
from random import Random
from typing import Any

from shared.contracts.orders.sourcing import Supply, source

Json = dict[str, Any]

LINES, LOCATIONS = 500, 20
SKUS = [f"SKU-{number}" for number in range(LINES)]
PLACES = [f"place-{number}" for number in range(LOCATIONS)]


async def measure(times: int) -> Json:
    gc.freeze()  # as the services do once they have started
    cases: Json = {}
    for name, (demand, supply) in _cases().items():
        took = []
        for _ in range(times):
            began = time.thread_time()
            found = source(demand, supply)
            took.append(1000 * (time.thread_time() - began))
        cases[name] = {
            "median_ms": statistics.median(took),
            "most_ms": max(took),
            "parcels": len({taken.location for taken in found}),
        }
    return {"lines": LINES, "locations": LOCATIONS, "times": times, "cases": cases}


def _cases() -> Mapping[str, tuple[dict[str, int], list[Supply]]]:
    dice = Random(1)
    two = dict.fromkeys(SKUS, 2)
    cases = {
        "everything everywhere": (two, [_offer(dice, s, p, 9) for s, p in _all()]),
        "two halves": (
            two,
            [
                _offer(dice, sku, place, 9)
                for number, sku in enumerate(SKUS)
                for place in PLACES[number % 2 :: 2]
            ],
        ),
        "one unit at each location": (
            two,
            [_offer(dice, s, p, 1) for s, p in _all()],
        ),
    }
    for percent in (90, 70, 50, 20):
        cases[f"{percent} % of it at each location"] = (
            {sku: dice.randint(1, 5) for sku in SKUS},
            [
                _offer(dice, sku, place, dice.randint(1, 9))
                for sku, place in _all()
                if dice.random() * 100 < percent
            ],
        )
    return cases


def _all() -> list[tuple[str, str]]:
    return [(sku, place) for sku in SKUS for place in PLACES]


def _offer(dice: Random, sku: str, place: str, units: int) -> Supply:
    return Supply(sku, place, units, dice.randrange(3), dice.random() < 0.5)
