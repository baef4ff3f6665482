"""What may still change about an order: how it is paid, where it goes, its end."""

from typing import Annotated

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel
from shared.contracts.errors import Refusal, nothing_to_cancel, too_many_attempts
from shared.contracts.orders import models, workflows
from shared.contracts.orders.states import (
    Decision,
    HoldReason,
    OrderStatus,
    ShipmentStatus,
)
from shared.database.ids import new_id
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import UnitOfWork, change
from shared.database.orders import tables
from shared.database.orders.snapshot import OrderSnapshot, Shipment, read_order
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems_of_bodies, response_headers
from api.http.problems import Problem
from api.kernel.notes import keep_note
from api.orders.lines import of_command
from api.orders.order import queries
from api.orders.order.acceptance import (
    Tariffs,
    check_provider_customer,
    check_return_url,
    shipping_price,
)
from api.orders.order.placement import PROVIDER
from api.orders.order.presenter import show_attempt, show_order
from api.orders.order.routes import etag, order_response
from api.orders.order.schemas import (
    Cancellation,
    Cancelled,
    ContactPatch,
    LineUnits,
    NewPayment,
    Order,
    PaymentAttempt,
)
from api.orders.paths import OrderPath
from api.services import ApiServices

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"])

SETTLE_SECONDS = 5.0
"""How long a caller waits to hear how a payment went."""


@router.post(
    "/payments",
    status_code=201,
    response_model=PaymentAttempt,
    responses=keyed("not-found", "not-payable", "too-many-attempts"),
)
async def pay_order(
    caller: Annotated[Principal, allowed("orders:own", "orders:write")],
    order_id: OrderPath,
    wanted: NewPayment,
    idempotent: Idempotent,
    services: ApiServices,
) -> Response:
    """Try another payment method. `requires_action` needs the buyer: follow
    `next_action`. `pending` is decided later, and told by the order's events."""
    await queries.require_sight(services, caller, order_id, "orders:write")

    async def work(command: Command) -> StoredResponse:
        payment_id = command.memo["payment_id"]
        check_return_url(wanted, services.settings.shop_origins, "#/return_url")
        check_provider_customer(caller, wanted, "#/customer")
        _check_payable(await queries.order(services, order_id), payment_id)
        await change(
            services.engine,
            tables.Order,
            order_id,
            # A repeat finds the payment.
            key=None,
            actor=caller.subject,
            apply=lambda work: _offer(work, payment_id, wanted),
            result=_Offered,
        )
        await services.commands.order(
            workflows.Order.pay,
            models.Pay(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                payment_id=payment_id,
            ),
            _not_payable,
        )
        order = await queries.order_when(
            services,
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
    # Money that is held may still be refused: then the hold asks for another method.
    asked = order.hold(HoldReason.PAYMENT) is not None
    covered = order.to_capture <= held and not asked
    if not known and (order.status.final or covered):
        raise _not_payable(order)


def _not_payable(_: OrderSnapshot) -> Refusal:
    return Refusal("not-payable", "Nothing of this order is left to pay.")


class _Offered(BaseModel):
    """The answer is the payment itself, once it was tried."""


async def _offer(work: UnitOfWork, payment_id: str, wanted: NewPayment) -> _Offered:
    """Keep the method where the worker finds it: it is no business of Temporal's."""
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
    return _Offered()


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
        **keyed("not-found", "already-shipped", "already-cancelled"),
    },
)
async def cancel_order(
    caller: Annotated[Principal, allowed("orders:own", "orders:operate")],
    order_id: OrderPath,
    wanted: Cancellation,
    idempotent: Idempotent,
    services: ApiServices,
) -> Response:
    """Cancel lines, or all that has not shipped. What was paid for it is given back."""
    await queries.require_sight(services, caller, order_id, "orders:operate")

    async def work(command: Command) -> StoredResponse:
        await keep_note(services.engine, command.key, order_id, wanted.note)
        done = await services.commands.order(
            workflows.Order.cancel,
            models.Cancel(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                lines=of_command(wanted.lines),
                reason=wanted.reason,
            ),
            _nothing_to_cancel,
        )
        order = await queries.order(services, order_id)
        return StoredResponse(200, _cancelled(done, order), {"ETag": etag(order)})

    return await idempotent.run(caller, wanted, work)


def _nothing_to_cancel(order: OrderSnapshot) -> Refusal:
    return nothing_to_cancel(cancelled=order.status is OrderStatus.CANCELLED)


def _cancelled(done: models.Cancelled, order: OrderSnapshot) -> Cancelled:
    return Cancelled(
        cancelled=[
            LineUnits(line=line.line, quantity=line.quantity) for line in done.cancelled
        ],
        refund_id=done.refund_id,
        order=show_order(order),
    )


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
    caller: Annotated[Principal, allowed("orders:own", "orders:operate")],
    order_id: OrderPath,
    wanted: ContactPatch,
    services: ApiServices,
    if_match: Annotated[
        str | None, Header(description="The ETag of the order as it was seen.")
    ] = None,
) -> Response:
    """Correct where an order goes and whom we tell, until a parcel is packed."""
    await queries.require_sight(services, caller, order_id, "orders:operate")
    if if_match is None:
        raise Problem("precondition-required", "Send If-Match with the order's ETag.")
    operator = caller.may("orders:operate")
    tariffs = None if operator else services.settings.shipping_tariffs
    await change(
        services.engine,
        tables.Order,
        order_id,
        # A key would have to be made of what is personal, and outlive it.
        key=None,
        actor=caller.subject,
        apply=lambda work: _correct(work, if_match, wanted, tariffs),
        result=_Corrected,
    )
    # An order on hold for its address may go on now.
    services.in_background(services.commands.nudge(order_id))
    order = await queries.order(services, order_id)
    return order_response(order, {"ETag": etag(order)})


class _Corrected(BaseModel):
    """The answer is the order itself, as it is by then."""


async def _correct(
    work: UnitOfWork, if_match: str, wanted: ContactPatch, tariffs: Tariffs | None
) -> _Corrected:
    """Does nothing where it is so already, as after a first try (RFC 9110, 13.1.1).
    What was decided by the old contact is looked at again. With `tariffs`, shipping
    must cost the same there."""
    columns = _columns(work.subject, wanted)
    if await work.connection.scalar(_IS_SO, columns):
        return _Corrected()
    order = await read_order(work.connection, work.subject)
    if not _names(if_match, etag(order)):
        raise Problem(
            "version-mismatch", "The order has changed.", version=order.version
        )
    if order.status.final or any(
        _is_packed(order, parcel) for parcel in order.shipments
    ):
        raise Refusal("already-packed", "A parcel is on its way with the old contact.")
    if tariffs is not None and wanted.ship_to is not None:
        await _check_price(work, order, wanted.ship_to.country, tariffs)
    await work.connection.execute(_CORRECT, columns)
    await work.update(tables.Order, work.subject, unscreened=True)
    # Who decides at this moment has seen the old contact: they are asked anew.
    await release_holds(
        work, Decision.SETTLED, reason=HoldReason.APPROVAL, subject=work.subject
    )
    # The fields' names alone: what is in them is personal.
    work.event("contact.changed", fields=sorted(wanted.model_fields_set))
    return _Corrected()


async def _check_price(
    work: UnitOfWork, order: OrderSnapshot, country: str, tariffs: Tariffs
) -> None:
    """A customer who moves an order abroad does not take the price from here along.
    Raises `Refusal`."""
    if await work.connection.scalar(_COUNTRY, {"id": order.id}) == country:
        return
    price = shipping_price(tariffs, order.shipping_method, country, order.currency)
    if price != order.shipping:
        raise Refusal("price-changed", "Shipping there has another price.")


_COUNTRY = text("SELECT ship_to ->> 'country' FROM contacts WHERE order_id = :id")


def _names(if_match: str, current: str) -> bool:
    """RFC 9110: any version, or one of a list. A weak tag names none."""
    tags = [tag.strip() for tag in if_match.split(",")]
    return tags == ["*"] or current in tags


def _is_packed(order: OrderSnapshot, parcel: Shipment) -> bool:
    if parcel.status is ShipmentStatus.READY:
        # Its label may be bought at this moment, unless the address was refused.
        refused = any(hold.reason is HoldReason.ADDRESS for hold in order.holds)
        return parcel.parcel is not None and not refused
    return parcel.status is not ShipmentStatus.CANCELLED


def _columns(order_id: str, wanted: ContactPatch) -> dict[str, object]:
    ship_to = wanted.ship_to and wanted.ship_to.model_dump_json(exclude_none=True)
    return {
        "id": order_id,
        "ship_to": ship_to,
        "email": wanted.email,
        "phone": wanted.phone,
    }


_IS_SO = text(
    """
    SELECT (cast(:ship_to AS jsonb) IS NULL OR ship_to = cast(:ship_to AS jsonb))
      AND (cast(:email AS text) IS NULL OR email = :email)
      AND (cast(:phone AS text) IS NULL OR phone = :phone)
    FROM contacts WHERE order_id = :id
    """
)
_CORRECT = text(
    """
    UPDATE contacts SET ship_to = coalesce(cast(:ship_to AS jsonb), ship_to),
      bill_to = coalesce(bill_to, ship_to),
      ship_to_accepted = ship_to_accepted AND cast(:ship_to AS jsonb) IS NULL,
      email = coalesce(:email, email), phone = coalesce(:phone, phone)
    WHERE order_id = :id
    """
)
