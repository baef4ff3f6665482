"""Orders in PostgreSQL: read one, or change one in the fact-changing transaction."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel
from shared.contracts.orders.names import WORKER
from shared.contracts.orders.payloads import OrderState
from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from shared.database.orders.snapshot import OF_SUBJECT, OrderSnapshot, read_order
from shared.database.orders.tables import Order

R = TypeVar("R", bound=BaseModel)


def utc_now() -> datetime:
    return datetime.now(UTC)


Show = Callable[[OrderSnapshot], OrderState]
"""Turns an order into what its workflow sees. Passed in, because it belongs to the
layers above."""
Apply = Callable[..., Awaitable[Done]]
"""A change: takes a `UnitOfWork` and the `OrderSnapshot` that it changes."""


class OrderStore:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.reads = engine

    async def read(self, order_id: str) -> OrderSnapshot:
        async with self.reads.connect() as connection:
            return await read_order(connection, order_id)

    async def change_and_read(
        self,
        order_id: str,
        apply: Apply,
        *,
        key: str | None = None,
        actor: str = WORKER,
    ) -> OrderSnapshot:
        """Apply a change that has no answer, once for `order_id` and `key`. Returns the
        order as it is then. Safe to repeat."""
        seen: OrderSnapshot | None = None

        async def see(work: UnitOfWork) -> None:
            nonlocal seen
            seen = await read_order(work.connection, order_id)

        await self.change(order_id, apply, Done, key=key, actor=actor, afterwards=see)
        return seen or await self.read(order_id)

    async def change(
        self,
        order_id: str,
        apply: Callable[[UnitOfWork, OrderSnapshot], Awaitable[R]],
        result: type[R],
        *,
        key: str | None = None,
        actor: str = WORKER,
        afterwards: Callable[[UnitOfWork], Awaitable[None]] | None = None,
    ) -> R:
        """Apply a change once for `order_id` and `key`. Safe to repeat."""

        async def with_order(pending: UnitOfWork) -> R:
            assert pending.snapshot is not None  # noqa: S101 - it was asked for
            return await apply(
                pending, OrderSnapshot.model_validate_json(pending.snapshot)
            )

        return await change(
            self.engine,
            Order,
            order_id,
            key=None if key is None else f"{order_id}:{key}",
            actor=actor,
            apply=with_order,
            result=result,
            snapshot=OF_SUBJECT,
            afterwards=afterwards,
        )
