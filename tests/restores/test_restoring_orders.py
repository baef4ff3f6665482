"""Our database is put back to an earlier moment; Temporal, the provider and the carrier
remember more."""

from pathlib import Path

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import ORDERS
from shared.contracts.orders.payloads import LookAgain, Window
from shared.contracts.orders.states import OrderStatus
from shared.contracts.orders.workflows import Reconcile
from shared.database.engine import Engine
from shared.database.orders.snapshot import OrderSnapshot
from temporalio.client import Client, WorkflowExecutionStatus

from tests.conftest import OpenShop, Work
from tests.restores.dumps import dump, restore
from tests.restores.healing import end_all_workflows, reconcile, sweep
from tests.support.shop import Json, Refused, Shop


async def book_of(shop: Shop, order_id: str) -> list[Json]:
    """The provider's books of an order's payments."""
    books = await shop.payments.books()
    return [book for book in books if book["metadata"].get("order_id") == order_id]


def has_been_authorized_again(order: OrderSnapshot) -> bool:
    return [payment.held > 0 for payment in order.payments] == [False, True]


@pytest.mark.timeout(240)
async def test_orders_go_on_from_what_is_known_and_no_card_is_charged_twice(
    open_shop: OpenShop,
    work: Work,
    temporal: Client,
    engine: Engine,
    database: str,
    tmp_path: Path,
) -> None:
    async with open_shop(temporal) as shop, work():
        shipped = await shop.confirmed(TEA=2)
        cancelled = await shop.confirmed(TEA=1)
        waiting = await shop.confirmed(TEA=1)
        await dump(database, tmp_path / "orders.dump")
        await shop.delivered(shipped)
        await shop.cancel(cancelled)
        await shop.ended(shipped)
        await shop.ended(cancelled)
        lost = await shop.confirmed(MUG=1)
    await engine.dispose()

    await restore(database, tmp_path / "orders.dump")

    async with open_shop(temporal) as shop, work():
        await end_all_workflows(shop)
        await sweep(shop)
        findings = await reconcile(shop)
        # Payments that we forgot are reported, by the provider's reference.
        (forgotten,) = await book_of(shop, lost)
        (charged,) = (await shop.order(shipped)).payments
        assert findings == {
            forgotten["payment_intent"]: "payment-unknown",
            charged.id: "money-differs",
        }
        # An order that we do not know is nobody's, and nobody works on it.
        ended = await shop.workflow(lost).describe()
        assert ended.status is WorkflowExecutionStatus.TERMINATED
        # The authorisation that was given back is asked for again.
        await shop.until(cancelled, has_been_authorized_again)
        # The provider took money that we know nothing of: nothing is packed until a
        # person has booked it.
        with pytest.raises(Refused) as refused:
            await shop.pack(shipped)
        assert refused.value.code == "on-hold"
        await shop.decide(shipped, HoldReason.DIFFERENCE, "book", by="finance")
        # The warehouse says again what it packed, and no card is charged for it twice.
        for order_id in (shipped, cancelled, waiting):
            await shop.delivered(order_id)
            order = await shop.ended(order_id)
            assert order.status is OrderStatus.COMPLETED
            books = await book_of(shop, order_id)
            charges = [charge for book in books for charge in book["captures"]]
            assert [charge["amount"] for charge in charges] == [order.total]


async def test_reconcile_looks_again_at_what_it_looked_at_before(
    shop: Shop,
) -> None:
    """Its last run is Temporal's to remember, and may be ahead of our database."""
    (now,) = await shop.fetch("SELECT now() - interval '3 days' AS ago")
    handle = await shop.client.start_workflow(
        Reconcile.run, LookAgain(since=now.ago), id="again", task_queue=ORDERS
    )
    await handle.result()
    (asked,) = [
        event.activity_task_scheduled_event_attributes.input
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    converter = shop.client.data_converter
    (window,) = await converter.decode(asked.payloads, [Window])
    assert window.since == now.ago
