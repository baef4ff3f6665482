"""Telling a workflow that facts may have changed."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.contracts.orders.names import (
    order_workflow_id,
    refund_workflow_id,
    shipment_workflow_id,
)
from shared.contracts.orders.workflows import Order, Refund, Shipment
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode


class Nudger:
    """Repeating a nudge is harmless. A workflow that is not there is the sweep's
    business: it is started again if its order still needs it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def order(self, order_id: str) -> None:
        handle = self.client.get_workflow_handle_for(
            Order.run, order_workflow_id(order_id)
        )
        with _unless_gone():
            await handle.signal(Order.nudge)

    async def shipment(self, shipment_id: str) -> None:
        handle = self.client.get_workflow_handle_for(
            Shipment.run, shipment_workflow_id(shipment_id)
        )
        with _unless_gone():
            await handle.signal(Shipment.nudge)

    async def refund(self, refund_id: str) -> None:
        handle = self.client.get_workflow_handle_for(
            Refund.run, refund_workflow_id(refund_id)
        )
        with _unless_gone():
            await handle.signal(Refund.nudge)


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
