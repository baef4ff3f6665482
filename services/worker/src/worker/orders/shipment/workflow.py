"""What happens to one parcel: paid, labelled, shipped, watched until it arrives."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from shared.contracts.errors import Refusal
from shared.contracts.orders.activities import (
    CarrierSteps,
    PackingSteps,
    PaymentSteps,
    ShipmentSteps,
)
from shared.contracts.orders.models import (
    CancelShipment,
    Captured,
    OrderRef,
    Pack,
    Ship,
    ShipmentEnd,
    ShipmentRef,
    ShipmentStart,
    ShipmentState,
)
from shared.contracts.orders.names import order_workflow_id
from shared.contracts.orders.states import ShipmentStatus
from shared.contracts.orders.workflows import Order, Shipment
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from worker.orders import options
from worker.orders.shipment.policy import shipment_ended
from worker.runtime.level_triggered import Alarm, should_continue_as_new, uninterrupted

T = TypeVar("T")
C = TypeVar("C")


@workflow.defn(name="Shipment")
class ShipmentWorkflow(Shipment):
    @workflow.init
    def __init__(self, start: ShipmentStart) -> None:
        self._ref = ShipmentRef(order_id=start.order_id, shipment_id=start.shipment_id)
        self._nudged = False
        self._alarm = Alarm(self.nudge)
        # What a command's own last step saw: spares the main loop a look.
        self._seen: ShipmentState | None = None
        # Only one command handles a parcel at a time.
        self._hands = asyncio.Lock()

    @workflow.run
    async def run(self, start: ShipmentStart) -> ShipmentEnd:
        if start.begun or workflow.info().attempt > 1:
            facts = await self._shielded(self._look())
        else:
            facts = ShipmentState(
                shipment_id=start.shipment_id, status=ShipmentStatus.READY
            )
        while not shipment_ended(facts):
            facts = await self._shielded(self._take(facts))
        await self._shielded(workflow.wait_condition(workflow.all_handlers_finished))
        return ShipmentEnd(status=facts.status)

    async def _take(self, facts: ShipmentState) -> ShipmentState:
        if facts.to_void:
            async with self._hands:
                await workflow.execute_activity_method(
                    CarrierSteps.void_label, self._ref, **options.CARRIER
                )
            return await self._look()
        if facts.paying and not self._hands.locked():
            # Begun by a predecessor of this run: whatever has come up since then, its
            # outcome has to be known.
            async with self._hands:
                await self._capture(PaymentSteps.capture)
            return await self._look()
        if facts.parcel_ready and not self._hands.locked():
            # Packing was begun by a predecessor of this run, or the cause that
            # stopped it is gone: go on with it.
            async with self._hands:
                with suppress(Refusal, ActivityError):
                    await self._pay_and_label()
            return await self._look()
        if await should_continue_as_new():
            # A reference alone means that there is something to look at.
            workflow.continue_as_new(self._ref)
        if facts.watch_until is not None and facts.watch_until <= workflow.now():
            facts = await self._database(ShipmentSteps.miss_scan, self._ref)
            await self._tell_order()
            return facts
        self._alarm.set(facts.watch_until)
        await workflow.wait_condition(lambda: self._nudged or self._seen is not None)
        seen, self._seen = self._seen, None
        return await self._look() if seen is None or self._nudged else seen

    # ── commands ────────────────────────────────────────────────────────────────

    @workflow.signal
    def nudge(self) -> None:
        self._nudged = True

    @workflow.update
    async def pack(self, command: Pack) -> ShipmentState:
        async with self._hands:
            await self._database(ShipmentSteps.begin_packing, command)
            facts = await self._pay_and_label()
        self._seen = facts
        return facts

    @workflow.update
    async def ship(self, command: Ship) -> ShipmentState:
        async with self._hands:
            facts = await self._database(ShipmentSteps.ship, command)
        self._seen = facts
        return facts

    @workflow.update
    async def cancel(self, command: CancelShipment) -> ShipmentState:
        async with self._hands:
            # Not by `_look`, which would forget a nudge that the main loop waits for.
            if (await self._database(ShipmentSteps.look_at_shipment, self._ref)).paying:
                await self._capture(PaymentSteps.capture)
            facts = await self._database(ShipmentSteps.cancel_shipment, command)
        self._seen = facts
        return facts

    # ── steps ───────────────────────────────────────────────────────────────────

    async def _pay_and_label(self) -> ShipmentState:
        """No money, no label; no label, no parcel."""
        captured = await self._capture(PackingSteps.pay_and_label)
        if captured.outcome == "uncovered":
            # An earlier part capture released the rest, or a new method was given.
            await workflow.execute_activity_method(
                PaymentSteps.authorize,
                OrderRef(order_id=self._ref.order_id),
                **options.PAYMENT,
            )
            captured = await self._capture(PackingSteps.pay_and_label)
        if captured.outcome != "captured":
            raise Refusal("payment-failed", "The payment for this parcel failed.")
        labelled = captured.labelled
        if labelled is None:
            labelled = await workflow.execute_activity_method(
                CarrierSteps.buy_label, self._ref, **options.CARRIER
            )
        if labelled.shipment is None:
            raise Refusal("on-hold", "The carrier does not accept the address.")
        return labelled.shipment

    async def _tell_order(self) -> None:
        """It minds holds, and whether the rest of it is still paid for."""
        order = workflow.get_external_workflow_handle(
            order_workflow_id(self._ref.order_id)
        )
        with suppress(ApplicationError):
            await order.signal(Order.nudge)

    async def _capture(
        self, step: Callable[[C, ShipmentRef], Awaitable[Captured]]
    ) -> Captured:
        captured = await workflow.execute_activity_method(
            step, self._ref, **options.PAYMENT
        )
        if captured.rest_uncovered:
            # Now, and not with the next parcel: if the card is declined, the customer
            # should be asked while the goods are still on their way to us.
            await self._tell_order()
        return captured

    async def _look(self) -> ShipmentState:
        self._nudged = False
        self._seen = None
        return await self._database(ShipmentSteps.look_at_shipment, self._ref)

    async def _database(
        self, step: Callable[[ShipmentSteps, C], Awaitable[T]], argument: C
    ) -> T:
        return await workflow.execute_local_activity_method(
            step, argument, **options.DATABASE
        )

    async def _shielded(self, step: Awaitable[T]) -> T:
        # A parcel is cancelled through its order or by command, never half-way.
        return await uninterrupted(step, on_cancel=self.nudge)
