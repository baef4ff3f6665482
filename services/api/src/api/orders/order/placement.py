"""Placing an order: one transaction, and nothing but PostgreSQL."""

import json
from datetime import datetime
from types import MappingProxyType
from typing import Any

from asyncpg import IntegrityConstraintViolationError
from shared.contracts.errors import Refusal
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import Connection
from shared.database.ids import new_id
from shared.database.orders.snapshot import OrderSnapshot, Payment
from shared.database.rows import Rows
from sqlalchemy import text

from api.http.problems import invalid
from api.orders.amounts import check_charge, check_currency
from api.orders.order.pricing import PricedOrder, Product, check_expected, priced
from api.orders.order.schemas import NewOrder, NewPayment
from api.orders.shipping_method.rates import Rate, Tariffs, rates

# The one provider there is; its reference follows with the authorisation.
PROVIDER = "stripe"


async def place(
    connection: Connection,
    wanted: NewOrder,
    customer: str,
    actor: str,
    *,
    sets_prices: bool = False,
    tariffs: Tariffs = MappingProxyType({}),
) -> OrderSnapshot:
    """Freeze the prices and write the order with its lines, contact, payment method and
    first event. Raises `Problem`; then the caller's transaction must be rolled back."""
    check_currency("#/currency", wanted.currency)
    rows = await _on_sale(connection, wanted, actor)
    _check_reference(rows)
    price = priced(
        wanted, _products(rows), _rates(rows, wanted, tariffs), trusted=sets_prices
    )
    lines, shipping, total = price.lines, price.shipping, price.total
    check_expected(wanted, total)
    check_charge("#/expected_total/amount", wanted.currency, total)
    if wanted.payment is None and total:
        raise invalid("#/payment", "missing", "The order costs something")
    order_id, payment_id = new_id("ord"), new_id("pay")
    parameters = _parameters(wanted, price) | {
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
        shipping_name=shipping.name,
        shipping_carrier=shipping.carrier,
        shipping_service=shipping.service,
        shipping=shipping.amount,
        shipping_tax=price.shipping_tax,
        shipping_tax_bp=price.shipping_tax_bp,
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
        payments=_untried(payment_id, wanted.payment, row.created_at),
    )


def _untried(
    payment_id: str, wanted: NewPayment | None, created_at: datetime
) -> tuple[Payment, ...]:
    if wanted is None:
        return ()
    payment = Payment(
        id=payment_id,
        provider=PROVIDER,
        provider_ref=None,
        method_ref=wanted.method,
        customer_ref=wanted.customer,
        off_session=False,
        return_url=wanted.return_url,
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
    return (payment,)


async def _on_sale(connection: Connection, wanted: NewOrder, actor: str) -> Rows:
    return await connection.execute(
        _SOLD,
        {
            "skus": sorted({line.sku for line in wanted.lines}),
            "currency": wanted.currency,
            "method": wanted.shipping.method,
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


def _rates(rows: Rows, wanted: NewOrder, tariffs: Tariffs) -> list[Rate]:
    first = rows.first()
    stored = first.rates if first is not None and first.rates else []
    method = wanted.shipping.method
    return rates(stored, {key: n for key, n in tariffs.items() if key[0] == method})


_SOLD = text(
    """
    SELECT p.sku, p.name, coalesce(c.price, p.price) AS price,
      coalesce(c.tax_bp, p.tax_bp) AS tax_bp, t.id AS taken_by,
      (SELECT json_agg(m) FROM shipping_methods m WHERE m.code = :method) AS rates
    FROM products p
      LEFT JOIN product_prices c ON c.sku = p.sku AND c.currency = :currency
        AND c.currency <> p.currency
      LEFT JOIN orders t
        ON t.external_ref = :external_ref AND coalesce(t.placed_by, '') = :actor
          AND t.status <> 'cancelled'
    WHERE p.sku = ANY(:skus) AND p.active
      AND (p.currency = :currency OR c.sku IS NOT NULL)
    """
)
_PLACE = text(
    """
    WITH placed AS (
      INSERT INTO orders (id, external_ref, placed_by, customer, status, currency,
        shipping_method, shipping_name, shipping_carrier, shipping_service, shipping,
        shipping_tax, shipping_tax_bp, total, metadata, version)
      VALUES (:order_id, :external_ref, :actor, :customer, 'placed', :currency,
        :shipping_method, :shipping_name, :shipping_carrier, :shipping_service,
        :shipping, :shipping_tax, :shipping_tax_bp, :total, cast(:metadata AS jsonb), 1)
      RETURNING number, created_at
    ), lines AS (
      INSERT INTO order_lines (order_id, line, sku, name, qty, total, tax, price,
        discounts, step, tax_bp)
      SELECT :order_id, l.*
      FROM jsonb_to_recordset(cast(:lines AS jsonb)) AS l
        (line int, sku text, name text, qty int, total bigint, tax bigint, price bigint,
         discounts jsonb, step int, tax_bp int)
    ), contact AS (
      INSERT INTO contacts (order_id, name, email, phone, locale, ship_to, bill_to)
      VALUES (:order_id, :name, :email, :phone, :locale, cast(:ship_to AS jsonb),
        cast(:bill_to AS jsonb))
    ), payment AS (
      INSERT INTO payments
        (id, order_id, provider, method_ref, return_url, customer_ref)
      SELECT :payment_id, :order_id, :provider, :method, :return_url, :customer_ref
      WHERE cast(:method AS text) IS NOT NULL
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


def _parameters(wanted: NewOrder, price: PricedOrder) -> dict[str, Any]:
    payment = wanted.payment
    return {
        "external_ref": wanted.external_ref,
        "currency": wanted.currency,
        "shipping_method": wanted.shipping.method,
        "shipping_name": price.shipping.name,
        "shipping_carrier": price.shipping.carrier,
        "shipping_service": price.shipping.service,
        "shipping": price.shipping.amount,
        "shipping_tax": price.shipping_tax,
        "shipping_tax_bp": price.shipping_tax_bp,
        "total": price.total,
        "metadata": json.dumps(wanted.metadata),
        "lines": json.dumps([line.model_dump() for line in price.lines]),
        "name": wanted.contact.name,
        "email": wanted.contact.email,
        "phone": wanted.contact.phone,
        "locale": wanted.contact.locale,
        "ship_to": wanted.ship_to.model_dump_json(exclude_none=True),
        "bill_to": wanted.bill_to and wanted.bill_to.model_dump_json(exclude_none=True),
        "provider": PROVIDER,
        "method": payment and payment.method,
        "return_url": payment and payment.return_url,
        "customer_ref": payment and payment.customer,
        "data": json.dumps({"total": price.total, "currency": wanted.currency}),
    }
