"""Sends commands to live orders: the only module that speaks to Temporal.

A command is an Update. Its id is the command's key, so a repeat gets the first answer,
even from a workflow that has ended since.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

from shared.contracts.base import Payload
from shared.contracts.errors import Refusal
from shared.contracts.orders.names import (
    ORDERS,
    allocation_workflow_id,
    order_workflow_id,
    refund_workflow_id,
    return_workflow_id,
    shipment_workflow_id,
)
from shared.contracts.orders.payloads import (
    Command,
    OrderRef,
    Pack,
    RefundRef,
    ReturnRef,
    StockRef,
)
from shared.contracts.orders.workflows import AllocateStock, Order, Refund, Return
from shared.contracts.search_attributes import ORDER_ID
from shared.database.engine import Engine
from shared.database.ids import new_id
from shared.database.orders.snapshot import OrderSnapshot, read_order
from shared.platform.connection import CurrentClient
from sqlalchemy import text
from temporalio.client import (
    WithStartWorkflowOperation,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.http.dependencies import Dependencies
from api.http.peer_probe import PeerProbe
from api.orders.update_failures import (
    NeedsNewerBuild,
    NoAnswer,
    NoWorkflow,
    UnknownUpdate,
    failure_of,
    is_in_flight,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
C = TypeVar("C", bound=Command)
Update = Callable[[Any, C], Awaitable[T]]
Ended = Callable[[OrderSnapshot], Refusal]
"""The refusal of a command to an order that is over."""

NUDGE_SECONDS = 2.0
IN_FLIGHT_SECONDS = 0.2
"""The pause before a command is tried again that another one blocks."""
PARCELS_OWN = {"pack": "pack", "ship": "ship", "cancel_shipment": "cancel"}
"""An order's commands on its parcels, by the names that a parcel's own workflow
used."""


_DONE = text("SELECT EXISTS (SELECT FROM applied WHERE key = :key)")


class Commands:
    def __init__(
        self,
        client: CurrentClient,
        engine: Engine,
        *,
        timeout: timedelta,
        start_timeout: timedelta,
        fail_fast_after: timedelta,
    ) -> None:
        self._client = client
        self._reads = engine
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._probe = PeerProbe(self._greet, fail_fast_after)

    async def start(self, order_id: str, *, again: bool = False) -> bool:
        """Start the order's workflow unless it runs. False if Temporal is not there:
        the sweep starts it later. `again` also if an earlier one was terminated."""
        seconds = self._start_timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                await self._client().start_workflow(
                    Order.run,
                    OrderRef(order_id=order_id),
                    id=order_workflow_id(order_id),
                    task_queue=ORDERS,
                    search_attributes=_of_order(order_id),
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=(
                        WorkflowIDReusePolicy.ALLOW_DUPLICATE
                        if again
                        else WorkflowIDReusePolicy.REJECT_DUPLICATE
                    ),
                    rpc_timeout=self._start_timeout,
                )
        except WorkflowAlreadyStartedError:
            return True
        except (RPCError, RuntimeError, TimeoutError) as error:
            log.warning(
                "the workflow is left to the sweep",
                extra={"order_id": order_id, "error": str(error)},
            )
            return False
        return True

    async def order(self, update: Update[C, T], command: C, ended: Ended) -> T:
        """Command an order. Raises `Refusal`, or `Unavailable` and then may be
        repeated. A workflow that is gone is started again where it was terminated,
        where its order has a question left, and where the command was carried out and
        only the answer got lost."""
        workflow_id = order_workflow_id(command.order_id)
        try:
            return await self._update(workflow_id, update, command)
        except NoWorkflow:
            order = await self._read(command.order_id)
        if order.status.final and not order.holds and not await self._done(command):
            raise ended(order)
        ref = OrderRef(order_id=command.order_id)
        return await self._start_and_update(
            Order.run, ref, workflow_id, update, command
        )

    async def parcel(self, shipment_id: str, update: Update[C, T], command: C) -> None:
        """Command a parcel, through its order's workflow. Raises as `order` does.
        Orders of the build before this one have a workflow for each parcel, and their
        own has no such commands."""

        def ended(order: OrderSnapshot) -> Refusal:
            status = order.shipment(shipment_id).status
            return Refusal("wrong-state", f"The shipment is {status}.")

        try:
            await self.order(update, command, ended)
        except UnknownUpdate:
            old = PARCELS_OWN.get(getattr(update, "__name__", ""))
            if old is None or _says_more(command):
                raise NeedsNewerBuild() from None
            await self._old_parcel(shipment_id, old, command)

    async def _old_parcel(self, shipment_id: str, update: str, command: C) -> None:
        try:
            await self._update(shipment_workflow_id(shipment_id), update, command)
        except NoWorkflow:
            # Its order starts it again unless the parcel is over.
            await self.nudge(command.order_id)
            raise NoAnswer() from None

    async def refund(self, refund_id: str, update: Update[C, T], command: C) -> T:
        """Command a refund that stands alone, and start it where it does not run.
        Raises as `order` does."""
        ref = RefundRef(order_id=command.order_id, refund_id=refund_id)
        workflow_id = refund_workflow_id(refund_id)
        return await self._start_and_update(
            Refund.run, ref, workflow_id, update, command
        )

    async def return_(self, return_id: str, update: Update[C, T], command: C) -> T:
        """Command a return, and start it where it does not run."""
        ref = ReturnRef(order_id=command.order_id, return_id=return_id)
        workflow_id = return_workflow_id(return_id)
        return await self._start_and_update(
            Return.run, ref, workflow_id, update, command
        )

    async def begin(self, run: Any, ref: Payload, workflow_id: str) -> None:
        """Start a return, a refund or an export that was asked for, unless it runs.
        Raises `Unavailable`."""
        async with self._answered():
            await self._client().start_workflow(
                run,
                ref,
                id=workflow_id,
                task_queue=ORDERS,
                search_attributes=_of_order(getattr(ref, "order_id", None)),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                rpc_timeout=self._timeout,
            )

    async def nudge(self, *order_ids: str) -> None:
        """Nudge orders. May be lost: they look by themselves later."""
        for order_id in order_ids:
            await self.signal(order_workflow_id(order_id), Order.nudge)

    async def allocate(self, *skus: str) -> None:
        """Start the allocation of free stock to waiting orders. May be lost: the sweep
        starts it as well."""
        for sku in skus:
            with suppress(RPCError, RuntimeError, TimeoutError):
                async with asyncio.timeout(NUDGE_SECONDS):
                    await self._client().start_workflow(
                        AllocateStock.run,
                        StockRef(sku=sku),
                        id=allocation_workflow_id(sku),
                        task_queue=ORDERS,
                        start_signal="received",
                        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    )

    async def describe(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        """Describe a workflow, or return nothing if there is none. Raises
        `Unavailable`."""
        try:
            async with self._answered():
                return await self._handle(workflow_id).describe(
                    rpc_timeout=self._timeout
                )
        except NoWorkflow:
            return None

    async def _greet(self) -> bool:
        return await self._client().service_client.check_health()

    async def signal(self, workflow_id: str, signal: Any) -> None:
        """May be lost: a workflow looks by itself later."""
        with suppress(RPCError, RuntimeError, TimeoutError):
            async with asyncio.timeout(NUDGE_SECONDS):
                await self._handle(workflow_id).signal(signal)

    async def _read(self, order_id: str) -> OrderSnapshot:
        async with self._reads.connect() as connection:
            return await read_order(connection, order_id)

    async def _done(self, command: Command) -> bool:
        """Whether a worker has already carried the command out."""
        async with self._reads.connect() as connection:
            done = await connection.scalar(
                _DONE, {"key": f"{command.order_id}:{command.key}"}
            )
        return bool(done)

    async def _update(
        self, workflow_id: str, update: Update[C, T] | str, command: C
    ) -> T:
        execute: Any = self._handle(workflow_id).execute_update

        async def ask(update_id: str) -> T:
            answer: T = await execute(
                update, command, id=update_id, rpc_timeout=self._timeout
            )
            return answer

        async with self._answered():
            return await _asked_again(ask, command.key)

    async def _start_and_update(
        self,
        run: Any,
        ref: Payload,
        workflow_id: str,
        update: Update[C, T],
        command: C,
    ) -> T:
        execute: Any = self._client().execute_update_with_start_workflow

        async def ask(update_id: str) -> T:
            # Each can be used once.
            start: Any = WithStartWorkflowOperation(
                run,
                ref,
                id=workflow_id,
                task_queue=ORDERS,
                search_attributes=_of_order(command.order_id),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            # Takes the start's own failure, which asyncio would report as never seen.
            started = asyncio.create_task(start.workflow_handle())
            try:
                answer: T = await execute(
                    update,
                    command,
                    id=update_id,
                    start_workflow_operation=start,
                    rpc_timeout=self._timeout,
                )
            finally:
                started.cancel()
            return answer

        try:
            async with self._answered():
                return await _asked_again(ask, command.key)
        except NoWorkflow as ended:
            # It ended right after its start: a repeat of the command learns why.
            raise NoAnswer() from ended

    @asynccontextmanager
    async def _answered(self) -> AsyncIterator[None]:
        """Raises the refusal of an Update, or `NoAnswer`, or `NoWorkflow`."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()) as limit:
                probing = asyncio.create_task(self._probe.end_early(limit))
                try:
                    yield
                finally:
                    probing.cancel()
        except WorkflowUpdateFailedError as failed:
            raise failure_of(failed) from failed
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NoWorkflow from error
            raise NoAnswer() from error
        except (
            WorkflowUpdateRPCTimeoutOrCancelledError,
            RuntimeError,
            TimeoutError,
        ) as error:
            raise NoAnswer() from error

    def _handle(self, workflow_id: str) -> WorkflowHandle[Any, Any]:
        return self._client().get_workflow_handle(workflow_id)


def _says_more(command: Command) -> bool:
    """Than a parcel's own workflow understood: it took units that are packed later for
    units that are not there."""
    return isinstance(command, Pack) and bool(command.further or command.later)


def _of_order(order_id: str | None) -> TypedSearchAttributes:
    known = [] if order_id is None else [SearchAttributePair(ORDER_ID, order_id)]
    return TypedSearchAttributes(known)


async def _asked_again(ask: Callable[[str], Awaitable[T]], key: str) -> T:
    """Try again, until the time is up, while another command is in the way: under a new
    id, since Temporal keeps the answer to each.

    And once if the server has dropped the Update together with a workflow task, as it
    does when a signal arrives while the workflow is about to end: the history has
    nothing of it then, and the next task will have both.
    """
    update_id, dropped = key, False
    while True:
        try:
            return await ask(update_id)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION or dropped:
                raise
            dropped = True
        except WorkflowUpdateFailedError as failed:
            if not is_in_flight(failed):
                raise
            await asyncio.sleep(IN_FLIGHT_SECONDS)
            update_id = f"{key}:{new_id('upd')}"


def gateway(deps: Dependencies) -> Commands:
    settings, temporal = deps.settings, deps.temporal
    return Commands(
        lambda: temporal.client,
        deps.engine,
        timeout=settings.api_command_timeout,
        start_timeout=settings.api_start_timeout,
        fail_fast_after=settings.api_fail_fast_after,
    )


def commands(deps: Dependencies) -> Commands:
    return deps.gateway(Commands)
