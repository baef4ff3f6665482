"""Placing an order: one transaction, and nothing but PostgreSQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import IntegrityConstraintViolationError
from shared.contracts.errors import Refusal
from shared.contracts.money import tax_included
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import Connection
from shared.database.ids import new_id
from shared.database.orders.snapshot import Line, OrderSnapshot, Payment
from shared.database.rows import Rows
from sqlalchemy import text

from api.http.problems import Problem, invalid
from api.orders.amounts import check_charge, check_currency, check_part
from api.orders.order.schemas import NewLine, NewOrder

# The one provider there is; its reference follows with the authorisation.
PROVIDER = "stripe"


@dataclass(frozen=True)
class Product:
    """What is sold, at today's price."""

    sku: str
    name: str
    price: int
    tax_bp: int


async def place(
    connection: Connection, wanted: NewOrder, customer: str, actor: str
) -> OrderSnapshot:
    """Freeze the prices and write the order with its lines, contact, payment method and
    first event. Raises `Problem`; then the caller's transaction must be rolled back."""
    check_currency("#/currency", wanted.currency)
    rows = await _on_sale(connection, wanted, actor)
    _check_reference(rows)
    lines = _priced(wanted, _products(rows))
    total = sum(line.total for line in lines) + wanted.shipping.amount.amount
    _check_total(wanted, total)
    check_part(
        "#/shipping/amount/amount", wanted.currency, wanted.shipping.amount.amount
    )
    check_charge("#/expected_total/amount", wanted.currency, total)
    order_id, payment_id = new_id("ord"), new_id("pay")
    parameters = _parameters(wanted, lines, total) | {
        "order_id": order_id,
        "payment_id": payment_id,
        "customer": customer,
        "actor": actor,
    }
    try:
        row = (await connection.execute(_PLACE, parameters)).one()
    except IntegrityConstraintViolationError as error:
        # The only unique thing in it that a caller chooses.
        raise Refusal(
            "duplicate-reference", "You have placed an order with this external_ref."
        ) from error
    return OrderSnapshot(
        id=order_id,
        number=row.number,
        external_ref=wanted.external_ref,
        customer=customer,
        status=OrderStatus.PLACED,
        reason=None,
        currency=wanted.currency,
        shipping_method=wanted.shipping.method,
        shipping=wanted.shipping.amount.amount,
        shipping_captured=0,
        shipping_credited=0,
        goodwill=0,
        total=total,
        cancel_wanted=None,
        ship_partial=False,
        metadata=wanted.metadata,
        version=1,
        created_at=row.created_at,
        updated_at=row.created_at,
        allocated=False,
        approved=False,
        lines=tuple(lines),
        payments=(_untried(payment_id, wanted, row.created_at),),
    )


def _untried(payment_id: str, wanted: NewOrder, created_at: datetime) -> Payment:
    return Payment(
        id=payment_id,
        provider=PROVIDER,
        provider_ref=None,
        method_ref=wanted.payment.method,
        customer_ref=wanted.payment.customer,
        off_session=False,
        return_url=wanted.payment.return_url,
        next_action=None,
        multicapture=False,
        authorized=0,
        capturing=0,
        captured=0,
        released=0,
        refunding=0,
        refunded=0,
        capture_before=None,
        created_at=created_at,
    )


async def _on_sale(connection: Connection, wanted: NewOrder, actor: str) -> Rows:
    return await connection.execute(
        _SOLD,
        {
            "skus": sorted({line.sku for line in wanted.lines}),
            "currency": wanted.currency,
            "external_ref": wanted.external_ref,
            "actor": actor,
        },
    )


def _check_reference(rows: Rows) -> None:
    first = rows.first()
    if first is not None and first.taken_by is not None:
        raise Refusal(
            "duplicate-reference",
            "You have placed an order with this external_ref.",
            order_id=first.taken_by,
        )


def _products(rows: Rows) -> dict[str, Product]:
    return {row.sku: Product(row.sku, row.name, row.price, row.tax_bp) for row in rows}


def _priced(wanted: NewOrder, products: dict[str, Product]) -> list[Line]:
    unknown = sorted({line.sku for line in wanted.lines} - products.keys())
    if unknown:
        raise Refusal(
            "unknown-sku", f"Not sold in {wanted.currency}.", skus=unknown[:50]
        )
    _check_currencies(wanted)
    _check_unit_prices(wanted, products)
    return [
        _line(number, line, products[line.sku])
        for number, line in enumerate(wanted.lines, start=1)
    ]


def _line(number: int, wanted: NewLine, product: Product) -> Line:
    total = product.price * wanted.quantity
    return Line(
        line=number,
        sku=product.sku,
        name=product.name,
        qty=wanted.quantity,
        total=total,
        tax=tax_included(total, product.tax_bp),
        **dict.fromkeys(_COUNTERS, 0),
    )


_COUNTERS = (
    "cancelled",
    "reserved",
    "captured",
    "shipped",
    "voided",
    "returned",
    "credited",
)


def _check_currencies(wanted: NewOrder) -> None:
    amounts = {
        "#/shipping/amount/currency": wanted.shipping.amount,
        "#/expected_total/currency": wanted.expected_total,
    }
    for index, line in enumerate(wanted.lines):
        if line.unit_price is not None:
            amounts[f"#/lines/{index}/unit_price/currency"] = line.unit_price
    for pointer, money in amounts.items():
        if money.currency != wanted.currency:
            raise invalid(pointer, "currency", "Must be the order's currency")


def _check_unit_prices(wanted: NewOrder, products: dict[str, Product]) -> None:
    changed = {
        line.sku: products[line.sku].price
        for line in wanted.lines
        if line.unit_price is not None
        and line.unit_price.amount != products[line.sku].price
    }
    if changed:
        raise Problem(
            "price-changed",
            "The price of a product has changed.",
            prices=[
                {"sku": sku, "price": {"amount": price, "currency": wanted.currency}}
                for sku, price in changed.items()
            ],
        )


def _check_total(wanted: NewOrder, total: int) -> None:
    if wanted.expected_total.amount != total:
        raise Problem(
            "price-changed",
            "The total of the order is not the expected one.",
            total={"amount": total, "currency": wanted.currency},
        )


_SOLD = text(
    """
    SELECT sku, name, price, tax_bp, t.id AS taken_by
    FROM products LEFT JOIN orders t
      ON t.external_ref = :external_ref AND coalesce(t.placed_by, '') = :actor
        AND t.status <> 'cancelled'
    WHERE sku = ANY(:skus) AND active AND products.currency = :currency
    """
)
_PLACE = text(
    """
    WITH placed AS (
      INSERT INTO orders (id, external_ref, placed_by, customer, status, currency,
        shipping_method, shipping, total, metadata, version)
      VALUES (:order_id, :external_ref, :actor, :customer, 'placed', :currency,
        :shipping_method, :shipping, :total, cast(:metadata AS jsonb), 1)
      RETURNING number, created_at
    ), lines AS (
      INSERT INTO order_lines (order_id, line, sku, name, qty, total, tax)
      SELECT :order_id, l.*
      FROM jsonb_to_recordset(cast(:lines AS jsonb)) AS l
        (line int, sku text, name text, qty int, total bigint, tax bigint)
    ), contact AS (
      INSERT INTO contacts (order_id, name, email, phone, locale, ship_to, bill_to)
      VALUES (:order_id, :name, :email, :phone, :locale, cast(:ship_to AS jsonb),
        cast(:bill_to AS jsonb))
    ), payment AS (
      INSERT INTO payments
        (id, order_id, provider, method_ref, return_url, customer_ref)
      VALUES
        (:payment_id, :order_id, :provider, :method, :return_url, :customer_ref)
    ), event AS (
      INSERT INTO events (subject, seq, type, actor, data)
      VALUES (:order_id, 1, 'order.placed', :actor, cast(:data AS jsonb))
    ), message AS (
      INSERT INTO messages (subject, seq, type)
      SELECT :order_id, 1, 'order.placed'
    )
    SELECT number, created_at FROM placed
    """
)


def _parameters(wanted: NewOrder, lines: Sequence[Line], total: int) -> dict[str, Any]:
    return {
        "external_ref": wanted.external_ref,
        "currency": wanted.currency,
        "shipping_method": wanted.shipping.method,
        "shipping": wanted.shipping.amount.amount,
        "total": total,
        "metadata": json.dumps(wanted.metadata),
        "lines": json.dumps([line.model_dump() for line in lines]),
        "name": wanted.contact.name,
        "email": wanted.contact.email,
        "phone": wanted.contact.phone,
        "locale": wanted.contact.locale,
        "ship_to": wanted.ship_to.model_dump_json(exclude_none=True),
        "bill_to": wanted.bill_to and wanted.bill_to.model_dump_json(exclude_none=True),
        "provider": PROVIDER,
        "method": wanted.payment.method,
        "return_url": wanted.payment.return_url,
        "customer_ref": wanted.payment.customer,
        "data": json.dumps({"total": total, "currency": wanted.currency}),
    }
