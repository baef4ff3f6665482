"""Goods that came back: what becomes of them, and what is owed for them."""

from collections import Counter
from collections.abc import Iterable, Mapping

from shared.contracts.errors import Refusal
from shared.contracts.orders.payloads import ReceivedLine, ReceiveReturn
from shared.contracts.orders.states import (
    Disposition,
    RefundReason,
    ReturnStatus,
)
from shared.database.kernel.unit_of_work import Done, UnitOfWork
from shared.database.orders.locations import check_location
from shared.database.orders.refund_breakdown import owed, shipping_owed
from shared.database.orders.snapshot import OrderSnapshot, Return
from shared.database.orders.tables import Return as ReturnTable
from sqlalchemy import text

from worker.orders.refund import changes as refunds
from worker.orders.return_ import changes as returns
from worker.orders.stock.changes import add_to_line, move_stock


async def receive(
    change: UnitOfWork, order: OrderSnapshot, *, command: ReceiveReturn
) -> Done:
    """Take in goods, also those that come after the return expired, unless another
    return has counted them meanwhile. Raises `Refusal` wrong-state, quantity-exceeded,
    unknown-location, inactive-location, deduction-exceeds-value."""
    if change.actor == order.customer:
        raise Refusal("four-eyes", "It is your own order: somebody else takes it in.")
    return_ = order.return_(command.return_id)
    if return_.status not in (ReturnStatus.APPROVED, ReturnStatus.EXPIRED):
        raise returns.wrong_state(return_)
    accepted = {item.line: item.accepted for item in command.lines if item.accepted}
    _check_accepted(order, return_, accepted, {item.line for item in command.lines})
    due = owed(
        order,
        accepted,
        shipping=shipping_owed(order, accepted),
        deductions={item.line: item.deduction for item in command.lines},
    )
    for item in command.lines:
        await _note_line(change, return_.id, item)
    await change.connection.execute(_NOTE_THE_REST, {"return_id": return_.id})
    for number, units in accepted.items():
        await add_to_line(change, order.id, number, returned=units)
    restocked = {
        item.line: item.accepted
        for item in command.lines
        if item.disposition is Disposition.RESTOCK
    }
    await _restock(change, order, return_.id, restocked, command.location)
    await change.update(ReturnTable, return_.id, status=ReturnStatus.RECEIVED)
    change.event(
        "return.received",
        return_id=return_.id,
        lines=[item.model_dump(mode="json") for item in command.lines],
    )
    await refunds.request(
        change, order, due, reason=RefundReason.RETURN, return_id=return_.id
    )
    return Done()


def _check_accepted(
    order: OrderSnapshot,
    return_: Return,
    accepted: Mapping[int, int],
    named: Iterable[int],
) -> None:
    expected = {item.line: item.qty for item in return_.lines}
    if return_.status is ReturnStatus.EXPIRED:
        free = returns.returnable(order)
        expected = {n: min(units, free.get(n, 0)) for n, units in expected.items()}
    unknown = set(named) - expected.keys()
    if unknown or any(units > expected[line] for line, units in accepted.items()):
        raise Refusal(
            "quantity-exceeded",
            "More came back than this return is for.",
            expected=returns.as_units(expected),
        )


async def _note_line(change: UnitOfWork, return_id: str, item: ReceivedLine) -> None:
    await change.connection.execute(
        _NOTE, {"return_id": return_id, **item.model_dump()}
    )


_NOTE = text(
    "UPDATE return_lines SET accepted = :accepted, disposition = :disposition,"
    " deduction = :deduction WHERE return_id = :return_id AND line = :line"
)
_NOTE_THE_REST = text(
    "UPDATE return_lines SET accepted = 0"
    " WHERE return_id = :return_id AND accepted IS NULL"
)
"""Nothing was said about it."""


async def _restock(
    change: UnitOfWork,
    order: OrderSnapshot,
    return_id: str,
    units: Mapping[int, int],
    location: str | None,
) -> None:
    """Put units at `location`, or back where they were sent from. Goods in quarantine
    are no stock yet, because stock anywhere is promised to the next order; an
    adjustment adds them once they are found to be good."""
    skus: Counter[str] = Counter()
    for number, n in units.items():
        skus[order.line(number).sku] += n
    moves = []
    for sku, n in sorted(skus.items()):
        places = {location: n} if location else await _sent_from(change, order, sku, n)
        moves += [(sku, place, part, 0) for place, part in places.items()]
    for place in sorted({place for _, place, _, _ in moves}):
        await check_location(change.connection, place)
    for sku, place, _, _ in moves:
        await change.connection.execute(_ENSURE, {"sku": sku, "location": place})
    await move_stock(change, return_id, "return", moves)


_ENSURE = text(
    "INSERT INTO stock (sku, location) VALUES (:sku, :location) ON CONFLICT DO NOTHING"
)


async def _sent_from(
    change: UnitOfWork, order: OrderSnapshot, sku: str, units: int
) -> dict[str, int]:
    """Places for so many units. No place gets more than left it and has not come
    back."""
    lines = [line.line for line in order.lines if line.sku == sku]
    out: Counter[str] = Counter()
    for shipment in order.shipments:
        if shipment.shipped_at is not None:
            out[shipment.location] += sum(map(shipment.units, lines))
    came_back = {"order_id": order.id, "sku": sku, "since": order.created_at}
    for row in await change.connection.execute(_CAME_BACK, came_back):
        out[row.location] -= row.units
    places: dict[str, int] = {}
    for place, left in out.items():
        places[place] = min(units, left)
        units -= places[place]
    return {place: part for place, part in places.items() if part > 0}


_CAME_BACK = text(
    """
    SELECT location, sum(on_hand)::int AS units FROM stock_movements
    WHERE sku = :sku AND at >= :since AND ref = :order_id AND reason = 'return'
    GROUP BY location
    """
)
