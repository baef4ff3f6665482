"""Order fulfilment as the worker sees it: everything concrete is built here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.contracts.orders.names import CARRIERS, ORDERS, PAYMENTS
from shared.contracts.orders.workflows import Reconcile, Retention, Sweep
from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
from shared.contracts.steps import Steps
from shared.database.engine import Engine
from shared.platform.connection import CurrentClient

from worker.orders.adapters.easypost import EasyPostCarrier, Sender
from worker.orders.adapters.manual import ManualCarrier
from worker.orders.adapters.simulator import CarrierSimulator
from worker.orders.adapters.stripe import StripePayments
from worker.orders.export.activities import ExportActivities
from worker.orders.export.workflow import ExportWorkflow
from worker.orders.hold.effects import check_silences
from worker.orders.hold.screening import Limits, ReturnLimits
from worker.orders.local_try import LocalTries
from worker.orders.notifications.addressee import ADDRESSEE
from worker.orders.notifications.customers import Customers
from worker.orders.notifications.links import Links, Signer
from worker.orders.notifications.mail_limit import MailLimit
from worker.orders.notifications.rendering import Renderer
from worker.orders.notifications.staff import Staff
from worker.orders.nudger import Nudger
from worker.orders.order import decisions  # noqa: F401 - registers its effects
from worker.orders.order.activities import OrderActivities
from worker.orders.order.lost_starts import LostStarts
from worker.orders.order.payments import PaymentActivities
from worker.orders.order.state import state_now
from worker.orders.order.workflow import OrderWorkflow
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
from worker.orders.stock.activities import StockActivities
from worker.orders.stock.unpaid import UnpaidStock
from worker.orders.stock.workflow import AllocateStockWorkflow
from worker.orders.store import OrderStore
from worker.orders.upkeep.erasure import ErasureActivities
from worker.orders.upkeep.gauges import GAUGES
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
from worker.orders.webhooks import CONTEXTS, OrderWebhooks
from worker.runtime.registry import (
    MessageHandler,
    Process,
    Queue,
    Registration,
    Schedule,
)
from worker.runtime.smtp import SmtpMailer, smtp_mailer
from worker.settings import WorkerSettings

WORKFLOWS: Sequence[type] = (
    OrderWorkflow,
    RefundWorkflow,
    ReturnWorkflow,
    AllocateStockWorkflow,
    ExportWorkflow,
    SweepWorkflow,
    ReconcileWorkflow,
    RetentionWorkflow,
)
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
    mailer = smtp_mailer(settings)
    steps = settings.max_concurrent_steps
    # A quarter for each provider: a slow one must not fill the worker.
    tries = {"payments": LocalTries(steps // 4), "carrier": LocalTries(steps // 4)}
    limits = Limits(
        total=settings.approval_limit,
        new_customer_total=settings.approval_limit_new_customer,
        burst_orders=settings.approval_burst_orders,
    )
    attempts = AttemptLimits(
        of_order=settings.payment_attempts_per_order,
        of_customer=settings.payment_attempts_per_customer,
    )
    payments = PaymentActivities(store, provider, limits, attempts, tries["payments"])
    refunds = RefundPaymentActivities(store, provider, tries["payments"])
    labels = CarrierActivities(store, carrier, tries["carrier"], state_now)
    webhooks = OrderWebhooks(store, payments, refunds, carrier, nudger)

    async def close() -> None:
        await provider.close()
        await carrier.close()
        if mailer is not None:
            await mailer.close()

    # In PostgreSQL, and what a workflow may try before it goes into a provider's queue.
    here: Sequence[Steps] = (
        OrderActivities(store, limits, nudger, settings.refund_limit),
        ShipmentActivities(store, state_now),
        RefundActivities(store, settings.refund_limit),
        ReturnActivities(store, ReturnLimits(settings.approval_limit_return)),
        StockActivities(store, nudger),
        SweepActivities(store, nudger),
        RetentionActivities(store, settings.contacts_live),
        ExportActivities(engine),
        *(payments, refunds, labels),
    )
    at_payments: Sequence[Steps] = (
        *(payments, refunds),
        ReconcileActivities(store, provider, payments, refunds, nudger),
        ErasureActivities(engine, provider),
    )
    at_carriers: Sequence[Steps] = (labels, ReturnLabelActivities(store, carrier))
    return Process(
        name="orders",
        queues=[
            Queue(ORDERS, WORKFLOWS, _activities(here), steps),
            Queue(PAYMENTS, (), _activities(at_payments), steps),
            Queue(CARRIERS, (), _activities(at_carriers), steps),
        ],
        schedules=SCHEDULES,
        inbox={
            "stripe": webhooks.stripe,
            "carrier": webhooks.carrier,
            "easypost": webhooks.carrier,
        },
        inbox_contexts=CONTEXTS,
        messages=_messages(settings, engine, mailer),
        message_context=ADDRESSEE,
        runners=[
            UnpaidStock(store, settings.stock_held).run,
            LostStarts(engine, nudger).run,
        ],
        close=close,
    )


def _activities(contracts: Sequence[Steps]) -> list[Callable[..., Any]]:
    return [activity for steps in contracts for activity in steps.activities()]


def _carrier(settings: WorkerSettings) -> Carrier:
    if settings.carrier == "simulator" and settings.carrier_api_base is not None:
        return CarrierSimulator(settings.carrier_api_base)
    key, sender = settings.easypost_api_key, settings.easypost_from_address
    if settings.carrier == "easypost" and key is not None and sender is not None:
        return EasyPostCarrier(
            key.get_secret_value(),
            _sender(sender),
            settings.carrier_api_base,
            senders={
                place: _sender(address)
                for place, address in settings.easypost_senders.items()
            },
            signer=settings.customs_signer,
            threads=settings.max_concurrent_steps,
        )
    return ManualCarrier()


def _sender(address: str) -> Sender:
    """Of `adr_…` or `DE/adr_…`."""
    country, _, id = address.rpartition("/")
    return Sender(id, country or None)


def _signer(settings: WorkerSettings) -> Signer | None:
    keys = settings.link_keys
    if keys is None:
        return None
    return Signer(keys, settings.order_link_lives, settings.order_link_actions)


def _messages(
    settings: WorkerSettings, engine: Engine, mailer: SmtpMailer | None
) -> Mapping[str, MessageHandler]:
    if mailer is None or settings.shop_order_url is None:
        return {}
    renderer = Renderer(settings.mail_templates)
    customers = Customers(
        mailer,
        renderer,
        Links(settings.shop_order_url, settings.shop_return_url, _signer(settings)),
        settings.stock_held,
        MailLimit(engine, settings.mails_per_hour),
    )
    staff = Staff(mailer, renderer, settings.staff_mail)
    return {**customers.handlers(), **staff.handlers()}


REGISTRATION = Registration(
    orders_process,
    workflows=WORKFLOWS,
    search_attributes=SEARCH_ATTRIBUTES,
    gauges=GAUGES,
)
