"""Order fulfilment as the worker sees it: everything concrete is built here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.contracts.orders.names import CARRIERS, ORDERS, PAYMENTS
from shared.contracts.orders.workflows import Reconcile, Retention, Sweep
from shared.database.engine import Engine
from shared.platform.connection import CurrentClient

from worker.orders.adapters.easypost import EasyPostCarrier
from worker.orders.adapters.manual import ManualCarrier
from worker.orders.adapters.simulator import CarrierSimulator
from worker.orders.adapters.smtp import SmtpMailer
from worker.orders.adapters.stripe import StripePayments
from worker.orders.hold.effects import check_silences
from worker.orders.hold.screening import Limits, ReturnLimits
from worker.orders.notifications.customers import Customers
from worker.orders.notifications.mail_limit import MailLimit
from worker.orders.nudger import Nudger
from worker.orders.order import decisions  # noqa: F401 - registers its effects
from worker.orders.order.activities import OrderActivities
from worker.orders.order.lost_starts import LostStarts
from worker.orders.order.workflow import OrderWorkflow
from worker.orders.payment.activities import PaymentActivities
from worker.orders.payment.attempts import AttemptLimits
from worker.orders.ports import Carrier
from worker.orders.refund.activities import RefundActivities
from worker.orders.refund.payments import RefundPaymentActivities
from worker.orders.refund.workflow import RefundWorkflow
from worker.orders.return_.activities import ReturnActivities
from worker.orders.return_.labels import ReturnLabelActivities
from worker.orders.return_.workflow import ReturnWorkflow
from worker.orders.shipment.activities import ShipmentActivities
from worker.orders.shipment.labels import CarrierActivities
from worker.orders.shipment.packing import PackingActivities
from worker.orders.shipment.workflow import ShipmentWorkflow
from worker.orders.stock.activities import StockActivities
from worker.orders.stock.unpaid import UnpaidStock
from worker.orders.stock.workflow import AllocateStockWorkflow
from worker.orders.store import OrderStore
from worker.orders.upkeep.erasure import ErasureActivities
from worker.orders.upkeep.reconcile import ReconcileActivities
from worker.orders.upkeep.retention import RetentionActivities
from worker.orders.upkeep.sweep import SweepActivities
from worker.orders.upkeep.workflow import (
    RECONCILE_EVERY,
    RETENTION_AT,
    RETENTION_EVERY,
    SWEEP_EVERY,
    ReconcileWorkflow,
    RetentionWorkflow,
    SweepWorkflow,
)
from worker.orders.webhooks import OrderWebhooks
from worker.runtime.registry import MessageHandler, Process, Queue, Schedule
from worker.settings import WorkerSettings

Activities = Sequence[Callable[..., Any]]

ON_ORDERS: Sequence[type] = (
    OrderWorkflow,
    RefundWorkflow,
    ReturnWorkflow,
    AllocateStockWorkflow,
    SweepWorkflow,
    ReconcileWorkflow,
    RetentionWorkflow,
)
ON_PAYMENTS: Sequence[type] = (ShipmentWorkflow,)
WORKFLOWS = (*ON_ORDERS, *ON_PAYMENTS)
SCHEDULES = (
    Schedule("sweep-orders", Sweep.run, ORDERS, every=SWEEP_EVERY),
    Schedule("reconcile", Reconcile.run, ORDERS, every=RECONCILE_EVERY),
    Schedule(
        *("retention", Retention.run, ORDERS),
        every=RETENTION_EVERY,
        offset=RETENTION_AT,
    ),
)


def orders_process(
    settings: WorkerSettings, engine: Engine, client: CurrentClient
) -> Process:
    check_silences()
    store = OrderStore(engine)
    nudger = Nudger(client)
    provider = StripePayments(
        settings.stripe_api_key.get_secret_value(), settings.stripe_api_base
    )
    carrier = _carrier(settings)
    mailer = _mailer(settings)
    attempts = AttemptLimits(
        of_order=settings.payment_attempts_per_order,
        of_customer=settings.payment_attempts_per_customer,
    )
    payments = PaymentActivities(store, provider, attempts)
    refunds = RefundPaymentActivities(store, provider)
    parcels = CarrierActivities(store, carrier)
    return_labels = ReturnLabelActivities(store, carrier)
    packing = PackingActivities(payments, parcels, settings.max_concurrent_steps // 10)
    books = ReconcileActivities(store, provider, payments, refunds, nudger)
    erasure = ErasureActivities(engine, provider)
    webhooks = OrderWebhooks(store, payments, refunds, carrier, nudger)

    async def close() -> None:
        await provider.close()
        await carrier.close()
        if mailer is not None:
            await mailer.close()

    return Process(
        name="orders",
        queues=[
            Queue(
                ORDERS,
                workflows=ON_ORDERS,
                activities=_on_orders(settings, store, nudger),
                steps=settings.max_concurrent_steps,
            ),
            Queue(
                PAYMENTS,
                workflows=ON_PAYMENTS,
                activities=_on_payments(
                    store, payments, refunds, packing, books, erasure
                ),
                steps=settings.max_concurrent_steps,
            ),
            Queue(
                CARRIERS,
                activities=_on_carriers(parcels, return_labels),
                steps=settings.max_concurrent_steps,
            ),
        ],
        schedules=SCHEDULES,
        inbox={
            "stripe": webhooks.stripe,
            "carrier": webhooks.carrier,
            "easypost": webhooks.carrier,
        },
        messages=_messages(settings, store, mailer),
        runners=[
            UnpaidStock(store, settings.stock_held).run,
            LostStarts(engine, nudger).run,
        ],
        close=close,
    )


def _on_orders(
    settings: WorkerSettings, store: OrderStore, nudger: Nudger
) -> Activities:
    limits = Limits(
        total=settings.approval_limit,
        new_customer_total=settings.approval_limit_new_customer,
        burst_orders=settings.approval_burst_orders,
    )
    orders = OrderActivities(store, limits, nudger, settings.refund_limit)
    refunds = RefundActivities(store, settings.refund_limit)
    returns = ReturnActivities(store, ReturnLimits())
    stock = StockActivities(store, nudger)
    sweeps = SweepActivities(store, nudger)
    retention = RetentionActivities(store, settings.contacts_live)
    return (
        *(orders.look, orders.reserve, orders.confirm, orders.plan_shipments),
        *(orders.remind, orders.expire_hold, orders.place_hold, orders.release_hold),
        *(orders.complete, orders.cancel, orders.pay),
        *(refunds.look_at_refund, refunds.request_refund),
        *(returns.look_at_return, returns.request_return, returns.decide_return),
        *(returns.receive_return, returns.remind_of_return, returns.expire_return),
        returns.close_return,
        *(stock.find_waiting_orders, stock.serve_waiting_orders),
        *(sweeps.start_missing_orders, sweeps.start_missing_returns),
        *(sweeps.nudge_overdue_orders, sweeps.allocate_free_stock, sweeps.audit),
        *(retention.forget_keys, retention.forget_webhooks, retention.forget_steps),
        retention.erase_contacts,
    )


def _on_payments(
    store: OrderStore,
    payments: PaymentActivities,
    refunds: RefundPaymentActivities,
    packing: PackingActivities,
    books: ReconcileActivities,
    erasure: ErasureActivities,
) -> Activities:
    shipments = ShipmentActivities(store)
    return (
        *(shipments.look_at_shipment, shipments.begin_packing, shipments.ship),
        *(shipments.cancel_shipment, shipments.miss_scan),
        packing.pay_and_label,
        *(payments.authorize, payments.capture, payments.release, refunds.refund),
        books.reconcile,
        erasure.erase_at_provider,
    )


def _on_carriers(
    parcels: CarrierActivities, return_labels: ReturnLabelActivities
) -> Activities:
    return (parcels.buy_label, parcels.void_label, return_labels.buy_return_label)


def _carrier(settings: WorkerSettings) -> Carrier:
    if settings.carrier == "simulator" and settings.carrier_api_base is not None:
        return CarrierSimulator(settings.carrier_api_base)
    key, sender = settings.easypost_api_key, settings.easypost_from_address
    if settings.carrier == "easypost" and key is not None and sender is not None:
        return EasyPostCarrier(
            key.get_secret_value(),
            sender,
            settings.carrier_api_base,
            threads=settings.max_concurrent_steps,
        )
    return ManualCarrier()


def _mailer(settings: WorkerSettings) -> SmtpMailer | None:
    if settings.smtp_host is None or settings.mail_from is None:
        return None
    password = settings.smtp_password
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.mail_from,
        tls=settings.smtp_tls,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
    )


def _messages(
    settings: WorkerSettings, store: OrderStore, mailer: SmtpMailer | None
) -> Mapping[str, MessageHandler]:
    if mailer is None or settings.shop_order_url is None:
        return {}
    limit = MailLimit(store.engine, settings.mails_per_hour)
    page, stock_held = settings.shop_order_url, settings.stock_held
    return Customers(store, mailer, page, stock_held, limit).handlers()
