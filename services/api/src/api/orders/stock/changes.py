"""Changes of stock: rows locked in one order, each with a movement to explain it."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.errors import Refusal
from shared.database.engine import Connection
from shared.database.orders.locations import check_location
from sqlalchemy import text

from api.http.problems import Problem
from api.orders.stock.schemas import Stock

_MOST_UNITS = 2_000_000_000


@dataclass(frozen=True)
class StockChange:
    """`deltas` and `counted` are units by SKU: how many more, or how many there are.
    `key` is unique to the command. `once`: of this `ref` the goods are booked at the
    location once."""

    key: str
    location: str
    deltas: Mapping[str, int]
    reason: str
    ref: str
    actor: str
    once: bool = False
    counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def skus(self) -> list[str]:
        return sorted({*self.deltas, *self.counted})


@dataclass(frozen=True)
class Transfer:
    """`units` by SKU leave `origin` and are at `destination` at once."""

    key: str
    origin: str
    destination: str
    units: Mapping[str, int]
    ref: str
    actor: str

    def at(self, place: str) -> StockChange:
        sign = -1 if place == self.origin else 1
        return StockChange(
            key=f"{self.key}:{place}",
            location=place,
            deltas={sku: sign * n for sku, n in self.units.items()},
            reason="move",
            ref=self.ref,
            actor=self.actor,
        )


def summed(lines: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Demand by SKU, in the order in which all lock."""
    deltas: Counter[str] = Counter()
    for sku, delta in lines:
        deltas[sku] += delta
    return dict(sorted(deltas.items()))


async def change_stock(connection: Connection, wanted: StockChange) -> list[Stock]:
    """Raises `Refusal`: unknown-location, inactive-location, unknown-sku,
    would-go-negative, quantity-exceeded, duplicate-reference."""
    await check_location(connection, wanted.location)
    skus = wanted.skus
    await _check_known(connection, skus)
    rows = await _lock(connection, skus, wanted.location)
    if not await connection.scalar(_DONE, {"key": _movement_key(wanted, skus[0])}):
        deltas = _deltas(wanted, rows)
        for row in rows:
            _check(row.sku, row.on_hand + deltas[row.sku], row.reserved)
        if wanted.once:
            await _take_note(connection, wanted)
        rows = await connection.execute(_MOVE, _moves(wanted, deltas))
    return sorted((_stock(row) for row in rows), key=lambda stock: stock.sku)


async def transfer_stock(connection: Connection, wanted: Transfer) -> list[Stock]:
    """Move stock; returns both locations afterwards. Raises `Refusal`:
    unknown-location, inactive-location, unknown-sku, would-go-negative,
    quantity-exceeded."""
    places = (wanted.origin, wanted.destination)
    for place in places:
        await check_location(connection, place)
    await _check_known(connection, [*wanted.units])
    # Lock both at once, since reservations lock product by product over all locations.
    await _lock(connection, [*wanted.units], *places)
    changed = [await change_stock(connection, wanted.at(place)) for place in places]
    return [stock for each in changed for stock in each]


async def _lock(
    connection: Connection, skus: Sequence[str], *locations: str
) -> Sequence[Any]:
    parameters = {"skus": skus, "locations": list(locations)}
    await connection.execute(_ENSURE, parameters)
    return await connection.execute(_LOCK, parameters)


def _deltas(wanted: StockChange, rows: Iterable[Any]) -> Mapping[str, int]:
    there = {row.sku: row.on_hand for row in rows}
    counted = {sku: n - there[sku] for sku, n in wanted.counted.items()}
    return {**wanted.deltas, **counted}


async def _take_note(connection: Connection, wanted: StockChange) -> None:
    """Note a delivery note as booked. Raises `Problem`, which names what was booked
    before."""
    note = {"location": wanted.location, "ref": wanted.ref, "skus": [*wanted.deltas]}
    new = set(await connection.scalars(_NOTE, note))
    known = [sku for sku in wanted.deltas if sku not in new]
    if known:
        raise Problem(
            "duplicate-reference",
            "This delivery note was booked here before. If as much came once more,"
            " say `again`.",
            skus=known[:50],
        )


_NOTE = text(
    """
    INSERT INTO applied (key, subject, result)
    SELECT 'receipt:' || json_build_array(cast(:location AS text),
      cast(:ref AS text), sku)::text, 'stock', to_jsonb(sku)
    FROM unnest(cast(:skus AS text[])) AS noted (sku) ORDER BY sku
    ON CONFLICT DO NOTHING RETURNING result #>> '{}'
    """
)


def _check(sku: str, on_hand: int, reserved: int) -> None:
    if on_hand < reserved:
        raise Problem(
            "would-go-negative",
            f"Fewer units of {sku} would remain than are reserved: move the parcels"
            " that they are for, or pick them short.",
            sku=sku,
            reserved=reserved,
        )
    if on_hand > _MOST_UNITS:
        raise Problem("quantity-exceeded", "More than can be counted.", sku=sku)


async def _check_known(connection: Connection, skus: Sequence[str]) -> None:
    found = await connection.scalars(_KNOWN, {"skus": skus})
    unknown = sorted(set(skus) - set(found))
    if unknown:
        raise Refusal("unknown-sku", "Make it a product first.", skus=unknown[:50])


_KNOWN = text("SELECT sku FROM products WHERE sku = ANY(:skus)")


def _movement_key(wanted: StockChange, sku: str) -> str:
    return f"{wanted.key}:{sku}"


def _moves(wanted: StockChange, deltas: Mapping[str, int]) -> dict[str, object]:
    moves = [
        {
            "key": _movement_key(wanted, sku),
            "sku": sku,
            "delta": delta,
            "reason": "count" if sku in wanted.counted else wanted.reason,
        }
        for sku, delta in deltas.items()
    ]
    return {
        "moves": json.dumps(moves),
        "location": wanted.location,
        "ref": wanted.ref,
        "actor": wanted.actor,
    }


def _stock(row: Any) -> Stock:
    return Stock(
        sku=row.sku,
        location=row.location,
        on_hand=row.on_hand,
        reserved=row.reserved,
        available=row.on_hand - row.reserved,
    )


async def waited_for(connection: Connection, skus: Sequence[str]) -> list[str]:
    """The SKUs among these that live orders lack units of."""
    return list(await connection.scalars(_WAITED_FOR, {"skus": list(skus)}))


_ENSURE = text(
    """
    INSERT INTO stock (sku, location)
    SELECT sku, location FROM unnest(cast(:skus AS text[])) AS wanted (sku),
      unnest(cast(:locations AS text[])) AS place (location)
    ORDER BY sku, location ON CONFLICT DO NOTHING
    """
)
_LOCK = text(
    """
    SELECT sku, location, on_hand, reserved FROM stock
    WHERE location = ANY(:locations) AND sku = ANY(:skus)
    ORDER BY sku, location FOR UPDATE
    """
)
_DONE = text("SELECT EXISTS (SELECT FROM stock_movements WHERE key = :key)")
_MOVE = text(
    """
    WITH moves AS (
      SELECT * FROM jsonb_to_recordset(cast(:moves AS jsonb))
        AS m (key text, sku text, delta int, reason text)
    ), told AS (
      INSERT INTO stock_movements (key, sku, location, on_hand, reason, ref, actor)
      SELECT key, sku, :location, delta, reason, :ref, :actor FROM moves
    )
    UPDATE stock s SET on_hand = s.on_hand + m.delta
    FROM moves m WHERE s.sku = m.sku AND s.location = :location
    RETURNING s.sku, s.location, s.on_hand, s.reserved
    """
)
_WAITED_FOR = text(
    """
    SELECT DISTINCT l.sku FROM order_lines l JOIN orders o ON o.id = l.order_id
    WHERE o.status IN ('placed', 'confirmed') AND l.sku = ANY(:skus)
      AND l.cancelled + l.reserved + l.shipped < l.qty
    """
)
