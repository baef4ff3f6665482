"""Corrects an order's contact and address, until a parcel is packed."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from shared.contracts.errors import Refusal
from shared.contracts.orders.addresses import check_address
from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.states import ShipmentStatus
from shared.database.kernel.holds import release_holds
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders import tables
from shared.database.orders.snapshot import OrderSnapshot, Shipment, read_order
from sqlalchemy import text

from api.http.problems import Problem, invalid
from api.http.schemas import Address
from api.orders.contact.schemas import WHOLE, AddressPatch, ContactPatch
from api.orders.order.routes import etag
from api.orders.shipping_method.queries import read_rates
from api.orders.shipping_method.rates import Tariffs, rate_for

Stored = Mapping[str, Any]
ADDRESSES = ("ship_to", "bill_to")


class Corrected(BaseModel):
    """The answer is the order itself, as it is then."""


async def correct(
    work: UnitOfWork,
    if_match: str,
    wanted: ContactPatch,
    tariffs: Tariffs,
    *,
    same_price: bool,
) -> Corrected:
    """Correct the contact. Does nothing if it is as wanted already, as in a repeat (RFC
    9110, 13.1.1). Whatever was decided by the old contact is checked again. With
    `same_price`, shipping must cost the same to the new address."""
    before = await _read(work)
    after = _merged(before, wanted)
    if after == before:
        return Corrected()
    order = await read_order(work.connection, work.subject)
    _check_open(order, if_match)
    _check_whole(after)
    if before["ship_to"]["country"] != after["ship_to"]["country"]:
        await _send_there(
            *(work, order, after["ship_to"]["country"], tariffs), same_price=same_price
        )
    await work.connection.execute(_CORRECT, _columns(order.id, after))
    await work.update(tables.Order, order.id, unscreened=True)
    # Whoever is deciding has seen the old contact, so the question is asked anew.
    await release_holds(
        work, Decision.SETTLED, reason=HoldReason.APPROVAL, subject=order.id
    )
    # Only names of fields: their content is personal.
    work.event("contact.changed", fields=sorted(wanted.model_fields_set))
    if after["ship_to"] != before["ship_to"]:
        await _judge_anew(work, after["ship_to"])
    return Corrected()


async def _read(work: UnitOfWork) -> dict[str, Any]:
    row = (await work.connection.execute(_CONTACT, {"id": work.subject})).one()
    return dict(row)


def _merged(before: Stored, wanted: ContactPatch) -> dict[str, Any]:
    named = wanted.model_dump(include=wanted.model_fields_set - {*ADDRESSES})
    addresses = {
        name: _merged_address(before[name], getattr(wanted, name))
        for name in wanted.model_fields_set & {*ADDRESSES}
    }
    after = {**before, **named, **addresses}
    if "bill_to" not in addresses and _moves(before["ship_to"], after["ship_to"]):
        # The billing address stays, so goods that go abroad are screened again.
        after["bill_to"] = before["bill_to"] or before["ship_to"]
    return after


def _moves(before: Stored, after: Stored) -> bool:
    """Whether the goods go to another place. Correcting a wrong address within its
    country does not count, and corrects the billing address, too."""
    at_home = before["country"] == after["country"]
    corrects = at_home and bool(check_address(before).wrong)
    return before != after and not corrects


def _merged_address(before: Stored | None, wanted: AddressPatch | None) -> Any:
    if wanted is None:
        return None
    named = wanted.model_dump(include=wanted.model_fields_set)
    given = {name: value for name, value in named.items() if value is not None}
    kept = {} if given.keys() >= WHOLE else before or {}
    return {name: value for name, value in kept.items() if name not in named} | given


def _check_open(order: OrderSnapshot, if_match: str) -> None:
    if not _names(if_match, etag(order)):
        raise Problem(
            "version-mismatch", "The order has changed.", version=order.version
        )
    if order.status.final or any(_is_packed(order, s) for s in order.shipments):
        raise Refusal("already-packed", "A parcel is on its way with the old contact.")


def _names(if_match: str, current: str) -> bool:
    """RFC 9110: any version, or one of a list. A weak tag names none."""
    tags = [tag.strip() for tag in if_match.split(",")]
    return tags == ["*"] or current in tags


def _is_packed(order: OrderSnapshot, parcel: Shipment) -> bool:
    if parcel.status is ShipmentStatus.READY:
        # Its label may be being bought, unless the address was refused.
        refused = any(hold.reason is HoldReason.ADDRESS for hold in order.holds)
        return parcel.parcel is not None and not refused
    return parcel.status is not ShipmentStatus.CANCELLED


def _check_whole(contact: Stored) -> None:
    """A bill's address of its own may begin with a few fields alone."""
    for name in ADDRESSES:
        try:
            Address.model_validate(contact[name] or _NO_ADDRESS)
        except ValidationError as error:
            field = error.errors()[0]["loc"][0]
            raise invalid(
                f"#/{name}/{field}", "missing", "The address needs it."
            ) from None


async def _send_there(
    work: UnitOfWork,
    order: OrderSnapshot,
    country: str,
    tariffs: Tariffs,
    *,
    same_price: bool,
) -> None:
    """Another country may have another carrier. A customer who moves an order abroad
    does not keep the domestic price. Raises `Refusal`."""
    method, goods = order.shipping_method, order.total - order.shipping
    rates = await read_rates(work.connection, tariffs, method)
    rate = rate_for(rates, method, country, order.currency)
    if same_price and (rate is None or rate.cost(goods) != order.shipping):
        raise Refusal("price-changed", "Shipping there has another price.")
    if rate is not None:
        await work.update(
            tables.Order,
            order.id,
            shipping_name=rate.name,
            shipping_carrier=rate.carrier,
            shipping_service=rate.service,
        )


_NO_ADDRESS = {"name": "nobody", "street": "nowhere", "country": "XX"}


async def _judge_anew(work: UnitOfWork, ship_to: Stored) -> None:
    """Check the new address. A right one closes the hold; a wrong one stays until the
    next correction."""
    if not check_address(ship_to).wrong:
        await release_holds(work, Decision.CORRECT, reason=HoldReason.ADDRESS)


def _columns(order_id: str, contact: Stored) -> dict[str, object]:
    addresses = {
        name: None if contact[name] is None else json.dumps(contact[name])
        for name in ADDRESSES
    }
    return {"id": order_id, **contact, **addresses}


_CONTACT = text(
    "SELECT name, email, phone, locale, ship_to, bill_to FROM contacts"
    " WHERE order_id = :id"
)
_CORRECT = text(
    """
    UPDATE contacts SET name = :name, email = :email, phone = :phone,
      locale = :locale, bill_to = cast(:bill_to AS jsonb),
      ship_to_accepted = ship_to_accepted AND ship_to = cast(:ship_to AS jsonb),
      ship_to = cast(:ship_to AS jsonb)
    WHERE order_id = :id
    """
)
