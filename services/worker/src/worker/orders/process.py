"""Order fulfilment as the worker sees it: everything concrete is built here."""

from shared.contracts.orders.names import CARRIERS, ORDERS, PAYMENTS
from shared.contracts.orders.workflows import Sweep
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from worker.orders.activities.allocating import StockActivities
from worker.orders.activities.carriers import CarrierActivities
from worker.orders.activities.orders import OrderActivities
from worker.orders.activities.payments import PaymentActivities
from worker.orders.activities.refunds import RefundActivities
from worker.orders.activities.shipments import ShipmentActivities
from worker.orders.activities.store import OrderStore
from worker.orders.adapters.manual import ManualCarrier
from worker.orders.adapters.simulator import CarrierSimulator
from worker.orders.adapters.stripe import StripePayments
from worker.orders.nudging import Nudger
from worker.orders.policy import Limits
from worker.orders.sweeping import SweepActivities
from worker.orders.webhooks import OrderWebhooks
from worker.orders.workflows.allocation import AllocateStockWorkflow
from worker.orders.workflows.order import OrderWorkflow
from worker.orders.workflows.refund import RefundWorkflow
from worker.orders.workflows.schedules import SWEEP_EVERY, SweepWorkflow
from worker.orders.workflows.shipment import ShipmentWorkflow
from worker.runtime.registry import Process, Queue, Schedule
from worker.settings import WorkerSettings


def orders_process(
    settings: WorkerSettings, engine: AsyncEngine, client: Client
) -> Process:
    store = OrderStore(engine)
    nudger = Nudger(client)
    provider = StripePayments(
        settings.stripe_api_key.get_secret_value(), settings.stripe_api_base
    )
    carrier = _carrier(settings)
    payments = PaymentActivities(store, provider)
    orders = OrderActivities(
        store,
        Limits(
            total=settings.approval_limit,
            new_customer_total=settings.approval_limit_new_customer,
            burst_orders=settings.approval_burst_orders,
        ),
    )
    shipments = ShipmentActivities(store)
    refunds = RefundActivities(store)
    parcels = CarrierActivities(store, carrier)
    stock = StockActivities(store, nudger)
    sweeps = SweepActivities(store, nudger)
    webhooks = OrderWebhooks(store, payments, carrier, nudger)

    async def close() -> None:
        await provider.close()
        await carrier.close()

    return Process(
        name="orders",
        queues=[
            Queue(
                ORDERS,
                workflows=[
                    OrderWorkflow,
                    ShipmentWorkflow,
                    RefundWorkflow,
                    AllocateStockWorkflow,
                    SweepWorkflow,
                ],
                activities=[
                    *(orders.look, orders.reserve, orders.confirm),
                    *(orders.plan_shipments, orders.remind, orders.expire_hold),
                    *(orders.complete, orders.cancel, orders.pay),
                    *(orders.place_hold, orders.release_hold),
                    *(shipments.look_at_shipment, shipments.begin_packing),
                    *(shipments.ship, shipments.cancel_shipment, shipments.miss_scan),
                    refunds.look_at_refund,
                    *(sweeps.start_missing_orders, sweeps.nudge_overdue_orders),
                    *(sweeps.allocate_free_stock, sweeps.audit),
                    *(stock.find_waiting_orders, stock.serve_waiting_orders),
                ],
                steps=settings.max_concurrent_steps,
            ),
            Queue(
                PAYMENTS,
                activities=[
                    *(payments.authorize, payments.capture),
                    *(payments.release, payments.refund),
                ],
                steps=settings.max_concurrent_steps,
            ),
            Queue(
                CARRIERS,
                activities=[parcels.buy_label, parcels.void_label],
                steps=settings.max_concurrent_steps,
            ),
        ],
        schedules=[Schedule("sweep-orders", Sweep.run, ORDERS, every=SWEEP_EVERY)],
        inbox={"stripe": webhooks.stripe, "carrier": webhooks.carrier},
        close=close,
    )


def _carrier(settings: WorkerSettings) -> ManualCarrier | CarrierSimulator:
    if settings.carrier == "simulator" and settings.carrier_api_base is not None:
        return CarrierSimulator(settings.carrier_api_base)
    return ManualCarrier()
