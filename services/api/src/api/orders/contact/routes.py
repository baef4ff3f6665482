"""Changes of an order: its payment, its contact, its cancellation."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from shared.contracts.base import LineQuantity
from shared.contracts.errors import Refusal, nothing_to_cancel, too_many_attempts
from shared.contracts.orders import payloads, workflows
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from shared.database.orders import tables
from shared.database.orders.snapshot import OrderSnapshot
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems, problems_of_bodies, response_headers
from api.http.problems import Problem
from api.kernel.personal_data import log_read
from api.orders.commands import commands
from api.orders.contact.changes import Corrected, correct
from api.orders.contact.queries import read_contact
from api.orders.contact.schemas import Contact, ContactPatch
from api.orders.lines import of_command
from api.orders.notes import keep_note
from api.orders.order import queries
from api.orders.order.acceptance import check_provider_customer, check_return_url
from api.orders.order.placement import PROVIDER
from api.orders.order.presenter import show_attempt, show_order
from api.orders.order.routes import etag, order_response
from api.orders.order.schemas import (
    Cancellation,
    Cancelled,
    LineUnits,
    NewPayment,
    Order,
    PaymentAttempt,
)
from api.orders.paths import OrderPath

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"])

CANCEL_SECONDS = 0.8
"""How long a caller waits for a cancellation that waits for a payment."""
SETTLE_SECONDS = 5.0
"""How long a caller waits to hear how a payment went."""


@router.post(
    "/payments",
    status_code=201,
    response_model=PaymentAttempt,
    responses=keyed("not-found", "not-payable", "too-many-attempts"),
)
async def pay_order(
    caller: Annotated[Principal, allowed("orders:own", "orders:write", "link:pay")],
    order_id: OrderPath,
    wanted: NewPayment,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Try another payment method. `requires_action`: send the buyer to `next_action`.
    `pending`: the provider decides later; the order's events show the outcome."""
    await queries.require_sight(deps, caller, order_id, "orders:write")

    async def work(command: Command) -> StoredResponse:
        payment_id = command.memo["payment_id"]
        check_return_url(wanted, deps.settings.return_origins, "#/return_url")
        check_provider_customer(caller, wanted, "#/customer")
        _check_payable(await queries.order(deps, order_id), payment_id)
        await change(
            deps.engine,
            tables.Order,
            order_id,
            # A repeat finds this payment.
            key=None,
            actor=caller.subject,
            apply=lambda work: _offer(work, payment_id, wanted),
            result=Done,
        )
        await commands(deps).order(
            workflows.Order.pay,
            payloads.Pay(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                payment_id=payment_id,
            ),
            _not_payable,
        )
        order = await queries.order_when(
            deps,
            order_id,
            lambda o: show_attempt(o.payment(payment_id)).status != "pending",
            SETTLE_SECONDS,
        )
        return StoredResponse(201, show_attempt(order.payment(payment_id)))

    return await idempotent.run(
        caller, wanted, work, memo={"payment_id": new_id("pay")}
    )


def _check_payable(order: OrderSnapshot, payment_id: str) -> None:
    known = any(payment.id == payment_id for payment in order.payments)
    if order.payment_stopped and not known:
        raise too_many_attempts()
    held = sum(payment.held for payment in order.payments)
    # Held money may still fail the checks: then the hold asks for another method.
    asked = order.hold(HoldReason.PAYMENT) is not None
    covered = order.to_capture <= held and not asked
    if not known and (order.status.final or covered):
        raise _not_payable(order)


def _not_payable(_: OrderSnapshot) -> Refusal:
    return Refusal("not-payable", "Nothing of this order is left to pay.")


async def _offer(work: UnitOfWork, payment_id: str, wanted: NewPayment) -> Done:
    """Store the payment method for the worker, outside of Temporal."""
    offered = await work.connection.scalar(
        _OFFER,
        {
            "id": payment_id,
            "order_id": work.subject,
            "provider": PROVIDER,
            "method": wanted.method,
            "return_url": wanted.return_url,
            "customer_ref": wanted.customer,
        },
    )
    if offered is not None:
        work.event("payment.offered", payment_id=payment_id)
    return Done()


_OFFER = text(
    "INSERT INTO payments"
    " (id, order_id, provider, method_ref, return_url, customer_ref)"
    " VALUES (:id, :order_id, :provider, :method, :return_url, :customer_ref)"
    " ON CONFLICT (id) DO NOTHING RETURNING id"
)


@router.post(
    "/cancellations",
    response_model=Cancelled,
    responses={
        200: response_headers("ETag"),
        202: {
            "model": Cancelled,
            "description": "Cancelled once the payment of a parcel is settled.",
            **response_headers("ETag"),
        },
        **keyed("not-found", "already-shipped", "already-cancelled"),
    },
)
async def cancel_order(
    caller: Annotated[
        Principal, allowed("orders:own", "orders:operate", "link:cancel")
    ],
    order_id: OrderPath,
    wanted: Cancellation,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Cancel lines, or everything that has not shipped, and refund the customer."""
    await queries.require_sight(deps, caller, order_id, "orders:operate")

    async def work(command: Command) -> StoredResponse:
        await keep_note(
            *(deps.engine, command.key, order_id, wanted.note),
            actor=caller.subject,
            about="cancellation",
        )
        before = await queries.order(deps, order_id)
        done = await commands(deps).order(
            workflows.Order.cancel,
            payloads.Cancel(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                lines=of_command(wanted.lines),
                reason=wanted.reason,
            ),
            _nothing_to_cancel,
        )
        order = await queries.order_when(
            deps,
            order_id,
            lambda order: not done.pending or order.cancel_wanted is None,
            CANCEL_SECONDS,
        )
        waits = done.pending and order.cancel_wanted is not None
        shown = _cancelled(_since(before, order) if done.pending else done, order)
        return StoredResponse(202 if waits else 200, shown, {"ETag": etag(order)})

    return await idempotent.run(caller, wanted, work)


def _since(before: OrderSnapshot, order: OrderSnapshot) -> payloads.Cancelled:
    """What was cancelled meanwhile, and what is refunded for it."""
    units = {line.line: line.cancelled for line in order.lines}
    known = {refund.id for refund in before.refunds}
    return payloads.Cancelled(
        cancelled=tuple(
            LineQuantity(line=line.line, quantity=units[line.line] - line.cancelled)
            for line in before.lines
            if units[line.line] > line.cancelled
        ),
        refund_id=next((r.id for r in order.refunds if r.id not in known), None),
    )


def _nothing_to_cancel(order: OrderSnapshot) -> Refusal:
    return nothing_to_cancel(cancelled=order.status is OrderStatus.CANCELLED)


def _cancelled(done: payloads.Cancelled, order: OrderSnapshot) -> Cancelled:
    return Cancelled(
        cancelled=[
            LineUnits(line=line.line, quantity=line.quantity) for line in done.cancelled
        ],
        refund_id=done.refund_id,
        order=show_order(order),
    )


@router.get("/contact", response_model=Contact, responses=problems("not-found"))
async def get_contact(
    caller: Annotated[
        Principal, allowed("orders:own", "contacts:read", "link:address")
    ],
    order_id: OrderPath,
    deps: Deps,
) -> Response:
    """Show who the order is for and where it goes. Customers see their own; every other
    read is logged. A link in a mail shows where the parcels go, and no more."""
    await queries.require_sight(deps, caller, order_id, "contacts:read")
    contact = await read_contact(deps, order_id)
    if caller.link is not None:
        # A mail may have been forwarded, so less is shown.
        contact = contact.model_copy(update=dict.fromkeys(_NOT_BY_LINK))
    if caller.link is not None or caller.may("contacts:read"):
        log_read(caller, "contact", order_id)
    return Response(contact.model_dump_json(), media_type="application/json")


_NOT_BY_LINK = ("name", "email", "phone", "bill_to")


@router.patch(
    "/contact",
    response_model=Order,
    responses={
        200: response_headers("ETag"),
        **problems_of_bodies(
            *("not-found", "already-packed", "price-changed"),
            *("version-mismatch", "precondition-required"),
        ),
    },
)
async def change_contact(
    caller: Annotated[
        Principal, allowed("orders:own", "orders:operate", "link:address")
    ],
    order_id: OrderPath,
    wanted: ContactPatch,
    deps: Deps,
    if_match: Annotated[
        str | None, Header(description="The ETag of the order as it was seen.")
    ] = None,
) -> Response:
    """Correct the addresses and the contact until a parcel is packed. An order on an
    address hold continues once its address passes the check. A link in a mail corrects
    `ship_to` alone."""
    await queries.require_sight(deps, caller, order_id, "orders:operate")
    if caller.link is not None and wanted.model_fields_set != {"ship_to"}:
        # With another mail address, the next link would go to somebody else.
        raise Problem("insufficient-scope", "A link corrects `ship_to` alone.")
    if if_match is None:
        raise Problem("precondition-required", "Send If-Match with the order's ETag.")
    await change(
        deps.engine,
        tables.Order,
        order_id,
        # No idempotency key: its fingerprint would be made of personal data, and
        # outlive it.
        key=None,
        actor=caller.subject,
        apply=lambda work: correct(
            *(work, if_match, wanted, deps.settings.shipping_tariffs),
            same_price=not caller.may("orders:operate"),
        ),
        result=Corrected,
    )
    order = await queries.order(deps, order_id)
    # An order on hold for its address may go on now, and so may its parcel.
    deps.in_background(commands(deps).nudge(order_id))
    return order_response(order, {"ETag": etag(order)})
