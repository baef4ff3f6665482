"""Erasing a customer: every order of theirs, one fact-changing transaction each."""

from collections.abc import Mapping

from shared.contracts.errors import NotFound, Refusal
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from shared.database.orders.erasure import (
    WORK_LEFT,
    erase_person,
    forget_answers,
    rename_customer,
    require_no_work_left,
)
from shared.database.orders.tables import Order
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.orders.erasure.schemas import Erasure

SHOWN = 50

_ORDERS = text(
    f"""
    SELECT o.id, {WORK_LEFT} AS needed FROM orders o
    WHERE o.customer = :customer ORDER BY o.created_at, o.id
    """  # noqa: S608 - our own condition
)
_ERASED = text("SELECT count(*) FROM orders WHERE customer = :alias")


def begin_erasure() -> Mapping[str, str]:
    """The alias that every repeat continues with."""
    return {"alias": new_id("era")}


async def erase(deps: Dependencies, customer: str, alias: str, actor: str) -> Erasure:
    """Safe to repeat with one `alias`. Refused with `still-needed`, `not-found`."""
    async with deps.engine.connect() as connection:
        orders = await connection.execute(_ORDERS, {"customer": customer})
    if needed := [row.id for row in orders if row.needed]:
        raise Refusal(
            "still-needed", "There are orders with work left.", orders=needed[:SHOWN]
        )

    async def apply(work: UnitOfWork) -> Done:
        # Orders that were placed between the look and the lock.
        await require_no_work_left(work)
        await erase_person(work)
        await rename_customer(work, customer, alias)
        return Done()

    for row in orders:
        await change(
            deps.engine, Order, row.id, key=None, actor=actor, apply=apply, result=Done
        )
    async with deps.engine.begin() as connection:
        await forget_answers(connection, customer, alias)
        erased = await connection.scalar(_ERASED, {"alias": alias})
    if not erased:
        raise NotFound("order of this customer")
    return Erasure(id=alias, orders=erased)
