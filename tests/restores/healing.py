"""What docs/how-to/backup-and-restore.md does after a restore, in the same order."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from shared.contracts.orders.names import ORDERS
from shared.contracts.orders.payloads import Window
from shared.contracts.orders.workflows import Sweep
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment
from worker.orders.adapters.stripe import StripePayments
from worker.orders.hold.screening import Limits
from worker.orders.local_try import LocalTries
from worker.orders.nudger import Nudger
from worker.orders.order.payments import PaymentActivities
from worker.orders.payment.attempts import AttemptLimits
from worker.orders.refund.payments import RefundPaymentActivities
from worker.orders.store import OrderStore
from worker.orders.upkeep.reconcile import ReconcileActivities

from tests.support.shop import Shop


async def end_all_workflows(shop: Shop) -> None:
    """They know a different past from the facts; the sweep starts again what is
    open."""
    async for running in shop.client.list_workflows("ExecutionStatus = 'Running'"):
        with suppress(RPCError):  # a child goes with its parent
            await shop.client.get_workflow_handle(running.id).terminate("restored")


async def sweep(shop: Shop) -> None:
    # As one that comes later than a minute.
    await shop.fetch("UPDATE orders SET created_at = now() - interval '1 hour'")
    await shop.client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)


async def reconcile(shop: Shop) -> dict[str, str]:
    """What is left for finance, by its subject. The workflow leaves out the last
    quarter of an hour, which is all the time that a test has."""
    provider = StripePayments("sk_test_core", shop.payments.url)
    store = OrderStore(shop.engine)
    payments = PaymentActivities(
        store, provider, Limits(), AttemptLimits(), LocalTries(1)
    )
    refunds = RefundPaymentActivities(store, provider, LocalTries(1))
    nudger = Nudger(lambda: shop.client)
    books = ReconcileActivities(store, provider, payments, refunds, nudger)
    until = datetime.now(UTC) + timedelta(seconds=1)
    window = Window(since=until - timedelta(hours=1), until=until)
    await ActivityEnvironment().run(books.reconcile, window)
    await provider.close()
    rows = await shop.fetch("SELECT kind, subject FROM discrepancies")
    return {row.subject: row.kind for row in rows}
