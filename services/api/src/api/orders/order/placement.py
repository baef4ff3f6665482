"""Places an order: one statement reads and one writes, in PostgreSQL alone.

What was read may have changed when the order is written. Prices are frozen as they were
read. If the stock is gone, the table's own CHECK refuses it; if the reference or the
key is taken, a unique index does.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from asyncpg import CheckViolationError, UniqueViolationError
from pydantic import BaseModel
from pydantic_core import to_json
from shared.contracts.errors import Refusal
from shared.contracts.orders.names import WORKER
from shared.contracts.orders.sourcing import Supply
from shared.contracts.orders.states import MoneyKind, MoneyStatus, OrderStatus
from shared.database.engine import Connection
from shared.database.ids import new_id
from shared.database.orders.payments import REMEMBERED, UNSUCCESSFUL
from shared.database.orders.snapshot import (
    LedgerRow,
    OrderSnapshot,
    Payment,
    Reservation,
)
from shared.database.orders.stock import CLAIMED, SUPPLY, allocate
from sqlalchemy import text

from api.http.idempotency import CLAIMED as CLAIMED_KEY
from api.http.idempotency import Answering, StoredResponse
from api.http.problems import invalid
from api.orders.amounts import check_charge, check_currency
from api.orders.order.pricing import Product, check_expected, priced
from api.orders.order.quantities import UNPAID, UNPAID_LIVES
from api.orders.order.schemas import NewOrder, NewPayment
from api.orders.shipping_method.rates import Tariffs, rates

# The only provider; its reference follows with the authorisation.
PROVIDER = "stripe"


@dataclass(frozen=True)
class Known:
    """What was read just before an order is placed."""

    number: int
    now: datetime
    taken_by: str | None
    """The live order of this `external_ref`."""
    products: dict[str, Product]
    rates: Sequence[Mapping[str, Any]]
    """The rates of the wanted shipping method."""
    supply: list[Supply]
    claimed: dict[str, int]
    unpaid: int
    tried: bool
    """A card of this customer was tried within the hour, without success so far."""
    customer_ref: str | None
    """The provider's name for this customer."""


async def read_known(
    connection: Connection, wanted: NewOrder, customer: str, actor: str
) -> Known:
    parameters = {
        "skus": sorted({line.sku for line in wanted.lines}),
        "currency": wanted.currency,
        "country": wanted.ship_to.country,
        "method": wanted.shipping.method,
        "external_ref": wanted.external_ref,
        "actor": actor,
        "customer": customer,
        "lives": UNPAID_LIVES,
        # This order is the youngest of those that wait for stock.
        "placed_at": datetime.max.replace(tzinfo=UTC),
        "order_id": "",
        "covered": False,
    }
    row = (await connection.execute(_KNOWN, parameters)).one()
    return Known(
        number=row.number,
        now=row.now,
        taken_by=row.taken_by,
        products={product["sku"]: Product(**product) for product in row.products},
        rates=row.rates,
        supply=[Supply(**offer) for offer in row.supply],
        claimed={c["sku"]: c["units"] for c in row.claimed},
        unpaid=row.unpaid,
        tried=row.tried,
        customer_ref=row.customer_ref,
    )


async def place(
    connection: Connection,
    wanted: NewOrder,
    order: OrderSnapshot,
    known: Known,
    actor: str,
    answer: Callable[[OrderSnapshot], StoredResponse],
    answering: Answering,
) -> StoredResponse | None:
    """Write, in one statement, the order with its lines, contact, payment method and
    events, its stock where all of it is there, the authorisation to ask for, and the
    answer. What a person may have to decide about is left to the order's workflow.
    Returns nothing where the key is taken. Raises `Refusal` duplicate-reference."""
    reserved = _reserved(order, known)
    while True:
        # With 500 lines each part takes milliseconds, so other requests run in between.
        await asyncio.sleep(0)
        response = answer(reserved or order)
        await asyncio.sleep(0)
        values = _parameters(wanted, reserved or order, actor)
        try:
            placed = await connection.execute(_PLACE, {**values, **answering(response)})
        except UniqueViolationError as error:
            # The only unique thing in it that a caller chooses.
            raise _duplicate() from error
        except CheckViolationError:
            # Another order was faster, so stock is missing.
            if reserved is None:
                raise
            reserved = None
            continue
        return response if placed else None


def new_order(
    wanted: NewOrder,
    known: Known,
    customer: str,
    *,
    sets_prices: bool = False,
    tariffs: Tariffs = MappingProxyType({}),
) -> OrderSnapshot:
    """The order with its frozen prices. Raises `Problem` for anything that is not sold
    like that."""
    check_currency("#/currency", wanted.currency)
    if known.taken_by is not None:
        raise _duplicate(order_id=known.taken_by)
    method = wanted.shipping.method
    in_settings = {key: n for key, n in tariffs.items() if key[0] == method}
    price = priced(
        wanted, known.products, rates(known.rates, in_settings), trusted=sets_prices
    )
    check_expected(wanted, price)
    check_charge("#/expected_total/amount", wanted.currency, price.total)
    if wanted.payment is None and price.total:
        raise invalid("#/payment", "missing", "The order costs something")
    return OrderSnapshot(
        id=new_id("ord"),
        number=known.number,
        external_ref=wanted.external_ref,
        customer=customer,
        status=OrderStatus.PLACED,
        reason=None,
        currency=wanted.currency,
        shipping_method=wanted.shipping.method,
        shipping_name=price.shipping.name,
        shipping_carrier=price.shipping.carrier,
        shipping_service=price.shipping.service,
        shipping=price.shipping.taxed.total,
        shipping_tax=price.shipping.taxed.tax,
        shipping_tax_bp=price.shipping.taxed.tax_bp,
        shipping_taxes=price.shipping.taxed.taxes,
        tax_treatment=wanted.tax_treatment,
        shipping_captured=0,
        shipping_credited=0,
        goodwill=0,
        total=price.total,
        cancel_wanted=None,
        ship_partial=False,
        metadata=wanted.metadata,
        payment_status="unpaid" if price.total else "captured",
        fulfillment_status="unfulfilled",
        version=1,
        created_at=known.now,
        updated_at=known.now,
        allocated=False,
        approved=False,
        lines=tuple(price.lines),
        payments=_untried(wanted.payment, known),
    )


def _reserved(order: OrderSnapshot, known: Known) -> OrderSnapshot | None:
    """The order with its stock and the authorisation to request; nothing if stock is
    missing. If cards of this customer were tried before, the workflow looks at that
    first."""
    taken = allocate(order.lines, known.supply, known.claimed)
    units = Counter[int]()
    for line, _, n in taken:
        units[line.line] += n
    if any(units[line.line] < line.qty for line in order.lines):
        return None
    opens = order.total > 0 and not known.tried
    row = LedgerRow(
        id=new_id("led"),
        kind=MoneyKind.AUTHORIZE,
        amount=order.total,
        status=MoneyStatus.PENDING,
        ref=order.id,
        attempt=1,
        provider_ref=None,
        failure=None,
        created_at=known.now,
        sent_at=None,
    )
    return order.model_copy(
        update={
            "allocated": True,
            "version": 2,
            "lines": tuple(
                line.model_copy(update={"reserved": line.qty}) for line in order.lines
            ),
            "reservations": tuple(
                Reservation(line=line.line, location=location, sku=line.sku, qty=n)
                for line, location, n in taken
            ),
            "payments": tuple(
                payment.model_copy(update={"ledger": (row,) if opens else ()})
                for payment in order.payments
            ),
        }
    )


def _duplicate(**known: str) -> Refusal:
    return Refusal(
        "duplicate-reference",
        "You have placed an order with this external_ref.",
        **known,
    )


def _untried(wanted: NewPayment | None, known: Known) -> tuple[Payment, ...]:
    if wanted is None:
        return ()
    payment = Payment(
        id=new_id("pay"),
        provider=PROVIDER,
        provider_ref=None,
        method_ref=wanted.method,
        customer_ref=wanted.customer or known.customer_ref,
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
        created_at=known.now,
    )
    return (payment,)


_KNOWN = text(
    f"""
    SELECT nextval(pg_get_serial_sequence('orders', 'number')) AS number, now() AS now,
      (SELECT id FROM orders WHERE external_ref = :external_ref
         AND coalesce(placed_by, '') = :actor AND status <> 'cancelled') AS taken_by,
      (SELECT coalesce(json_agg(p), '[]') FROM (
         SELECT p.sku, p.name, coalesce(c.price, p.price) AS price,
           coalesce(c.tax_bp, p.tax_bp) AS tax_bp, p.returnable
         FROM products p
           LEFT JOIN product_prices c ON c.sku = p.sku AND c.currency = :currency
         WHERE p.sku = ANY(:skus) AND p.active
           AND (p.currency = :currency OR c.sku IS NOT NULL)) p) AS products,
      (SELECT coalesce(json_agg(m), '[]') FROM shipping_methods m
       WHERE m.code = :method) AS rates,
      (SELECT coalesce(json_agg(s), '[]') FROM ({
        SUPPLY.format(stock="stock", country=":country")
    } AND s.sku = ANY(:skus)) s) AS supply,
      (SELECT coalesce(json_agg(c), '[]') FROM ({CLAIMED}) c) AS claimed,
      ({UNPAID}) AS unpaid,
      EXISTS (SELECT FROM orders o JOIN payments p ON p.order_id = o.id
              JOIN ledger l ON l.payment_id = p.id
              WHERE o.customer = :customer AND o.updated_at > now() - interval '1 hour'
                AND {UNSUCCESSFUL}) AS tried,
      ({REMEMBERED}) AS customer_ref
    """  # noqa: S608 - our own words
)
_PLACE = text(
    f"""
    WITH {CLAIMED_KEY}, placed AS (
      INSERT INTO orders (id, number, external_ref, placed_by, customer, status,
        currency, shipping_method, shipping_name, shipping_carrier, shipping_service,
        shipping, shipping_tax, shipping_tax_bp, shipping_taxes, tax_treatment, total,
        metadata, version, created_at, updated_at)
      OVERRIDING SYSTEM VALUE
      SELECT :order_id, :number, :external_ref, :actor, :customer, 'placed',
        :currency, :shipping_method, :shipping_name, :shipping_carrier,
        :shipping_service, :shipping, :shipping_tax, :shipping_tax_bp,
        cast(:shipping_taxes AS jsonb), :tax_treatment, :total,
        cast(:metadata AS jsonb), :version, :now, :now
      FROM claimed
    ), lines AS (
      INSERT INTO order_lines (order_id, ordered_at, line, sku, name, qty, total, tax,
        price, discounts, step, tax_bp, taxes, returnable, reserved)
      SELECT :order_id, cast(:now AS timestamptz), l.*
      FROM claimed, jsonb_to_recordset(cast(:lines AS jsonb)) AS l (line int, sku text,
        name text, qty int, total bigint, tax bigint, price bigint, discounts jsonb,
        step int, tax_bp int, taxes jsonb, returnable boolean, reserved int)
    ), contact AS (
      INSERT INTO contacts (order_id, name, email, phone, locale, ship_to, bill_to)
      SELECT :order_id, :name, :email, :phone, :locale, cast(:ship_to AS jsonb),
        cast(:bill_to AS jsonb)
      FROM claimed
    ), payment AS (
      INSERT INTO payments
        (id, order_id, provider, method_ref, return_url, customer_ref)
      SELECT p.id, :order_id, p.provider, p.method_ref, p.return_url, p.customer_ref
      FROM claimed, jsonb_to_recordset(cast(:payments AS jsonb)) AS p (id text,
        provider text, method_ref text, return_url text, customer_ref text)
    ), authorization_to_ask_for AS (
      INSERT INTO ledger (id, payment_id, kind, amount, status, ref, sent_at)
      SELECT l.id, p.id, l.kind, l.amount, l.status, l.ref, NULL
      FROM claimed,
        jsonb_to_recordset(cast(:payments AS jsonb)) AS p (id text, ledger jsonb),
        jsonb_to_recordset(p.ledger) AS l (id text, kind text, amount bigint,
          status text, ref text)
    ), reserved AS (
      INSERT INTO reservations (order_id, line, location, sku, qty)
      SELECT :order_id, r.*
      FROM claimed, jsonb_to_recordset(cast(:reservations AS jsonb)) AS r (line int,
        location text, sku text, qty int)
    ), noted AS (
      INSERT INTO applied (key, subject, result)
      SELECT n, :order_id, '{{}}' FROM claimed, unnest(cast(:noted AS text[])) n
    ), moved AS (
      INSERT INTO stock_movements
        (key, sku, location, reserved, reason, ref, actor)
      SELECT m.key, m.sku, m.location, m.units, 'reserve', :order_id, :worker
      FROM claimed, jsonb_to_recordset(cast(:moves AS jsonb)) AS m (key text, sku text,
        location text, units int)
    ), locked AS (
      SELECT s.sku, s.location, m.units, p.safety_stock
      FROM claimed, jsonb_to_recordset(cast(:moves AS jsonb)) AS m (sku text,
        location text, units int) JOIN stock s USING (sku, location)
        JOIN locations p ON p.code = s.location
      ORDER BY s.sku, s.location FOR UPDATE OF s
    ), stocked AS (
      -- What is left of less than the safety stock counts as not there: the sum is made
      -- more than is on hand, which the table's own check refuses.
      UPDATE stock s SET reserved = s.reserved + l.units + CASE
        WHEN s.on_hand - s.reserved - l.units < l.safety_stock THEN s.on_hand ELSE 0 END
      FROM locked l WHERE s.sku = l.sku AND s.location = l.location
    ), told AS (
      INSERT INTO events (subject, seq, type, actor, data)
      SELECT :order_id, e.*
      FROM claimed, jsonb_to_recordset(cast(:events AS jsonb)) AS e (seq int, type text,
        actor text, data jsonb)
    ), message AS (
      INSERT INTO messages (subject, seq, type)
      SELECT :order_id, 1, 'order.placed' FROM claimed
    )
    SELECT key FROM claimed
    """  # noqa: S608 - our own words
)


def _parameters(wanted: NewOrder, order: OrderSnapshot, actor: str) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "number": order.number,
        "external_ref": order.external_ref,
        "actor": actor,
        "worker": WORKER,
        "customer": order.customer,
        "currency": order.currency,
        "shipping_method": order.shipping_method,
        "shipping_name": order.shipping_name,
        "shipping_carrier": order.shipping_carrier,
        "shipping_service": order.shipping_service,
        "shipping": order.shipping,
        "shipping_tax": order.shipping_tax,
        "shipping_tax_bp": order.shipping_tax_bp,
        "shipping_taxes": _json(order.shipping_taxes),
        "tax_treatment": order.tax_treatment,
        "total": order.total,
        "metadata": json.dumps(order.metadata),
        "version": order.version,
        "now": order.created_at,
        "lines": _json(order.lines),
        "name": wanted.contact.name,
        "email": wanted.contact.email,
        "phone": wanted.contact.phone,
        "locale": wanted.contact.locale,
        "ship_to": wanted.ship_to.model_dump_json(exclude_none=True),
        "bill_to": wanted.bill_to and wanted.bill_to.model_dump_json(exclude_none=True),
        "payments": _json(order.payments),
        "reservations": _json(order.reservations),
        "noted": [f"{order.id}:reserve"] if order.allocated else [],
        "moves": json.dumps(_moves(order)),
        "events": json.dumps(_events(order, actor)),
    }


def _json(rows: Sequence[BaseModel]) -> str:
    return to_json(rows).decode()


def _moves(order: OrderSnapshot) -> list[dict[str, object]]:
    units = Counter[tuple[str, str]]()
    for taken in order.reservations:
        units[taken.sku, taken.location] += taken.qty
    return [
        {
            "key": f"{order.id}:reserve:reserve:{sku}:{location}",
            "sku": sku,
            "location": location,
            "units": n,
        }
        for (sku, location), n in units.items()
    ]


def _events(order: OrderSnapshot, actor: str) -> list[dict[str, object]]:
    about: dict[str, object] = {
        "total": order.total,
        "discount": order.discount,
        "tax": order.tax,
        "currency": order.currency,
    }
    events: list[dict[str, object]] = [
        {"seq": 1, "type": "order.placed", "actor": actor, "data": about}
    ]
    if order.allocated:
        units = sum(line.reserved for line in order.lines)
        data = {"units": units, "missing": 0}
        events.append(
            {"seq": 2, "type": "stock.reserved", "actor": WORKER, "data": data}
        )
    return events
