"""Chooses the locations that an order's goods are sent from. Pure.

The whole order is considered: as few parcels as possible, which means as few locations.
Among equals the preferred ones win: first by priority, then by being in the
destination's country, then by having most of what is wanted.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

MOST_TRIES = 10_000
"""Limit of combinations that are tried: all of up to four from twenty. Beyond it
locations are added one by one, each completing most SKUs, which may take a parcel more
than needed."""


class Supply(NamedTuple):
    """Units of a SKU that a location may give, without its safety stock. A lower
    `priority` is used first; `abroad`: not known to be in the destination's country."""

    sku: str
    location: str
    units: int
    priority: int = 0
    abroad: bool = False


class Sourced(NamedTuple):
    sku: str
    location: str
    units: int


class _Place(NamedTuple):
    location: str
    units: Mapping[str, int]
    whole: int
    """A bit for each SKU that it can supply completely."""


def source(
    demand: Mapping[str, int],
    supply: Iterable[Supply],
    begun: Collection[str] = (),
) -> list[Sourced]:
    """Choose for `demand`, units by SKU, as far as there is supply. A location that is
    `begun` sends a parcel of this order anyway: it is used first, and adds no
    parcel."""
    offers = [offer for offer in supply if offer.units > 0 and offer.sku in demand]
    there: dict[str, list[int]] = {}
    for offer in offers:
        there.setdefault(offer.sku, []).append(offer.units)
    # Scarce SKUs come first: they rule out most combinations.
    wanted = {
        sku: min(demand[sku], sum(there[sku]))
        for sku in sorted(there, key=lambda sku: len(there[sku]))
        if demand[sku] > 0
    }
    chosen = _chosen(wanted, _places(wanted, offers, begun), begun)
    return [
        Sourced(sku, location, units)
        for sku, n in wanted.items()
        for location, units in _taken(sku, n, chosen)
    ]


def _places(
    wanted: Mapping[str, int], offers: Iterable[Supply], begun: Collection[str]
) -> list[_Place]:
    """Locations, the preferred ones first."""
    bits = {sku: 1 << number for number, sku in enumerate(wanted)}
    units: dict[str, dict[str, int]] = {}
    whole: dict[str, int] = {}
    rank: dict[str, tuple[bool, int, bool]] = {}
    for sku, location, there, priority, abroad in offers:
        if location not in units:
            units[location], whole[location] = {}, 0
            rank[location] = (location not in begun, priority, abroad)
        if sku in wanted:
            units[location][sku] = there
            if there >= wanted[sku]:
                whole[location] |= bits[sku]
    preferred = sorted(
        units, key=lambda code: (*rank[code], -sum(units[code].values()), code)
    )
    return [_Place(code, units[code], whole[code]) for code in preferred]


def _chosen(
    wanted: Mapping[str, int], places: Sequence[_Place], begun: Collection[str]
) -> Sequence[_Place]:
    """The smallest combination that supplies everything; among equals the first, which
    is made of preferred locations."""
    given = [place for place in places if place.location in begun]
    others = places[len(given) :]
    tries = 0
    for further in range(_least(wanted, given, others), len(others) + 1):
        tries += comb(len(others), further)
        if tries > MOST_TRIES:
            break
        for more in combinations(others, further):
            if not _lacking(wanted, (*given, *more)):
                return (*given, *more)
    return _greedily(wanted, given, others)


def _lacking(wanted: Mapping[str, int], places: Sequence[_Place]) -> bool:
    """Whether these locations together lack units of any SKU."""
    whole = 0
    for place in places:
        whole |= place.whole
    if whole == (1 << len(wanted)) - 1:
        return False
    for number, (sku, units) in enumerate(wanted.items()):
        if whole >> number & 1 == 0:
            for place in places:
                units -= place.units.get(sku, 0)
            if units > 0:
                return True
    return False


def _least(
    wanted: Mapping[str, int], given: Sequence[_Place], others: Sequence[_Place]
) -> int:
    """How many more locations the most scattered SKU needs."""
    least = 0
    for sku, units in wanted.items():
        units -= sum(place.units.get(sku, 0) for place in given)
        most = sorted((place.units.get(sku, 0) for place in others), reverse=True)
        needed = 0
        while units > 0:
            units -= most[needed]
            needed += 1
        least = max(least, needed)
    return least


def _greedily(
    wanted: Mapping[str, int], given: Sequence[_Place], others: Sequence[_Place]
) -> Sequence[_Place]:
    """Add the location that completes most SKUs until none lacks units; then drop those
    that later ones have made superfluous."""
    chosen, unused = [*given], [*others]
    while _lacking(wanted, chosen):
        whole = 0
        for place in chosen:
            whole |= place.whole
        best = max(unused, key=lambda place: (place.whole & ~whole).bit_count())
        unused.remove(best)
        chosen.append(best)
    for place in reversed(chosen[len(given) :]):
        rest = [other for other in chosen if other is not place]
        if not _lacking(wanted, rest):
            chosen = rest
    return chosen


def _taken(sku: str, units: int, places: Sequence[_Place]) -> Iterable[tuple[str, int]]:
    """Everything from the first location that has it all; else from as few as
    possible."""
    having = [(p.location, p.units[sku]) for p in places if sku in p.units]
    for location, there in having:
        if there >= units:
            return [(location, units)]
    taken = []
    for location, there in sorted(having, key=lambda place: -place[1]):
        part = min(units, there)
        if part:
            taken.append((location, part))
        units -= part
    return taken
