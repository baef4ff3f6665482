"""Stock, orders, money and goods. Amounts are integer minor units throughout.

The CHECKs keep the invariants of docs/domain.md that concern a single row; the views at
the end of the first migration find what breaks those that span tables.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, CHAR, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.contracts.orders.messages import NOTIFIED_EVENTS, STAFF_EVENTS
from shared.database.kernel.tables import NOW, Base
from shared.database.orders.metrics import count


def _counter() -> Mapped[int]:
    return mapped_column(Integer, server_default="0")


def _amount(default: str | None = "0") -> Mapped[int]:
    return mapped_column(BigInteger, server_default=default)


def _one_of(column: str, values: str, name: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values.split())
    return CheckConstraint(f"{column} IN ({listed})", name=name)


# ── stock ───────────────────────────────────────────────────────────────────────


class Location(Base):
    """Where goods lie and are sent from. The lower its `priority`, the sooner it is
    chosen; of each SKU that leaves `safety_stock` units there. Nothing new is sent from
    one that is not `active`.

    Until no build books stock at whatever it is told, a trigger on `stock` makes a row
    of a location that has none."""

    __tablename__ = "locations"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[dict[str, Any] | None]
    active: Mapped[bool] = mapped_column(server_default="true")
    priority: Mapped[int] = mapped_column(server_default="100")
    safety_stock: Mapped[int] = _counter()
    __table_args__ = (
        CheckConstraint("priority >= 0 AND safety_stock >= 0", name="numbers"),
    )


class Product(Base):
    __tablename__ = "products"
    sku: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int] = _amount(None)
    currency: Mapped[str] = mapped_column(CHAR(3))
    tax_bp: Mapped[int] = _counter()
    backorder: Mapped[bool] = mapped_column(server_default="false")
    returnable: Mapped[bool] = mapped_column(server_default="true")
    active: Mapped[bool] = mapped_column(server_default="true")
    # For customs: the tariff number, and the country of make.
    hs_code: Mapped[str | None]
    origin: Mapped[str | None] = mapped_column(CHAR(2))
    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("tax_bp BETWEEN 0 AND 10000", name="tax"),
    )


class ProductPrice(Base):
    """A product's price in a further currency; without a `tax_bp` the tax is the
    product's."""

    __tablename__ = "product_prices"
    sku: Mapped[str] = mapped_column(ForeignKey("products.sku"), primary_key=True)
    currency: Mapped[str] = mapped_column(CHAR(3), primary_key=True)
    price: Mapped[int] = _amount(None)
    tax_bp: Mapped[int | None]
    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("tax_bp BETWEEN 0 AND 10000", name="tax"),
    )


class Stock(Base):
    __tablename__ = "stock"
    sku: Mapped[str] = mapped_column(ForeignKey("products.sku"), primary_key=True)
    location: Mapped[str] = mapped_column(primary_key=True)
    on_hand: Mapped[int] = _counter()
    reserved: Mapped[int] = _counter()
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
    )


class StockMovement(Base):
    """Why the stock is what it is: `on_hand` and `reserved` are the sums of these."""

    __tablename__ = "stock_movements"
    key: Mapped[str] = mapped_column(primary_key=True)
    sku: Mapped[str]
    location: Mapped[str]
    on_hand: Mapped[int] = _counter()
    reserved: Mapped[int] = _counter()
    reason: Mapped[str]
    ref: Mapped[str | None]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        _one_of(
            "reason",
            "receipt reserve release move ship return adjust count short_pick"
            " write_off",
            "reason",
        ),
        Index("stock_movements_sku", "sku", "location", "at"),
        Index("stock_movements_newest", "at", "key"),
    )


# ── orders ──────────────────────────────────────────────────────────────────────


class ShippingMethod(Base):
    """A rate of a shipping method for `countries` (none: all that no other row of the
    method names); free for goods of `free_from` or more. `price` includes its tax;
    without a `tax_bp` it is taxed as most of the goods."""

    __tablename__ = "shipping_methods"
    code: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(CHAR(3), primary_key=True)
    countries: Mapped[list[str]] = mapped_column(ARRAY(Text), primary_key=True)
    name: Mapped[str]
    price: Mapped[int] = _amount(None)
    tax_bp: Mapped[int | None] = mapped_column(server_default="0")
    free_from: Mapped[int | None] = mapped_column(BigInteger)
    carrier: Mapped[str | None]
    service: Mapped[str | None]
    __table_args__ = (
        CheckConstraint(
            "price >= 0 AND (free_from IS NULL OR free_from >= 0)", name="price"
        ),
        CheckConstraint("tax_bp BETWEEN 0 AND 10000", name="tax"),
    )


class Order(Base):
    """`version` is the seq of the order's last event, and its ETag. `placed_by` is who
    sent it, a service or the customer: an `external_ref` is one of theirs.
    `unscreened`: what it was screened by, and perhaps approved, has changed since."""

    owner = "orders"
    notified_events = NOTIFIED_EVENTS | STAFF_EVENTS

    @classmethod
    def committed(cls, events: Sequence[Mapping[str, Any]], age_seconds: float) -> None:
        count(events, age_seconds)

    __tablename__ = "orders"
    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    external_ref: Mapped[str | None]
    placed_by: Mapped[str | None]
    customer: Mapped[str]
    status: Mapped[str]
    # Computed by PostgreSQL from the counters of payments and lines.
    payment_status: Mapped[str | None]
    fulfillment_status: Mapped[str | None]
    reason: Mapped[str | None]
    currency: Mapped[str] = mapped_column(CHAR(3))
    shipping_method: Mapped[str]
    # As the method was called when it was placed, and who is to carry it.
    shipping_name: Mapped[str | None]
    shipping_carrier: Mapped[str | None]
    shipping_service: Mapped[str | None]
    shipping: Mapped[int] = _amount()
    shipping_tax: Mapped[int] = _amount()
    shipping_tax_bp: Mapped[int | None]
    shipping_taxes: Mapped[list[Any]] = mapped_column(server_default="[]")
    tax_treatment: Mapped[str] = mapped_column(server_default="included")
    shipping_captured: Mapped[int] = _amount()
    shipping_credited: Mapped[int] = _amount()
    goodwill: Mapped[int] = _amount()
    deducted: Mapped[int] = _amount()
    total: Mapped[int] = _amount(None)
    ship_partial: Mapped[bool] = mapped_column(server_default="false")
    unscreened: Mapped[bool] = mapped_column(server_default="false")
    # A `Cancel` that waits for the outcome of a capture, as it was given.
    cancel_wanted: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    version: Mapped[int] = _counter()
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        _one_of("status", "placed confirmed completed cancelled", "status"),
        CheckConstraint("(status = 'cancelled') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("shipping >= 0 AND total >= 0", name="amounts"),
        CheckConstraint("deducted >= 0", name="deducted"),
        _one_of("tax_treatment", "included added exempt", "tax_treatment"),
        CheckConstraint(
            "0 <= shipping_credited AND shipping_credited <= shipping_captured"
            " AND shipping_captured <= shipping",
            name="shipping",
        ),
        # By its reference first, as people look for it. What was cancelled may be
        # ordered once more under the same one.
        Index(
            "orders_live_reference",
            "external_ref",
            text("coalesce(placed_by, '')"),
            unique=True,
            postgresql_where="status <> 'cancelled'",
        ),
        Index("orders_reference", "external_ref"),
        Index("orders_newest", "created_at", "id"),
        Index("orders_customer", "customer", "created_at", "id"),
        Index("orders_payment_status", "payment_status", "created_at", "id"),
        Index("orders_fulfillment_status", "fulfillment_status", "created_at", "id"),
        Index("orders_updated", "updated_at", "id"),
        Index(
            "orders_live",
            "created_at",
            "id",
            postgresql_where="status IN ('placed', 'confirmed')",
        ),
    )


class Contact(Base):
    """The only table with personal data by design, so that it can be erased.

    `ship_to_accepted`: a person said that this address is right, whatever the check
    says. Another address is checked again."""

    __tablename__ = "contacts"
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    name: Mapped[str | None]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    locale: Mapped[str | None]
    ship_to: Mapped[dict[str, Any] | None]
    bill_to: Mapped[dict[str, Any] | None]
    ship_to_accepted: Mapped[bool] = mapped_column(server_default="false")
    erased_at: Mapped[datetime | None]
    __table_args__ = (
        Index("contacts_email", text("lower(email)")),
        Index(
            "contacts_name",
            text("name_words(name, ship_to, bill_to)"),
            postgresql_using="gin",
        ),
    )


class OrderLine(Base):
    """`voided` counts units captured and then cancelled before they shipped, so
    `captured - shipped - voided` units are paid for and still in the warehouse.

    `total` is authoritative: what all units cost after `discounts`. `price` is that of
    one before them; older lines have none. A part of a line costs a multiple of `step`,
    which is what the provider charges in."""

    __tablename__ = "order_lines"
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    # The `created_at` of its order: a trigger knows it where a writer does not say it.
    ordered_at: Mapped[datetime | None]
    sku: Mapped[str]
    name: Mapped[str]
    qty: Mapped[int]
    total: Mapped[int] = _amount(None)
    tax: Mapped[int] = _amount()
    price: Mapped[int | None] = mapped_column(BigInteger)
    discounts: Mapped[list[Any]] = mapped_column(server_default="[]")
    step: Mapped[int] = mapped_column(server_default="1")
    tax_bp: Mapped[int | None]
    taxes: Mapped[list[Any]] = mapped_column(server_default="[]")
    # NULL on older lines: their product decides.
    returnable: Mapped[bool | None]
    cancelled: Mapped[int] = _counter()
    reserved: Mapped[int] = _counter()
    captured: Mapped[int] = _counter()
    shipped: Mapped[int] = _counter()
    voided: Mapped[int] = _counter()
    returned: Mapped[int] = _counter()
    credited: Mapped[int] = _counter()
    __table_args__ = (
        CheckConstraint("qty > 0 AND total >= 0", name="size"),
        CheckConstraint(
            "least(cancelled, reserved, captured, shipped, voided, returned, credited)"
            " >= 0",
            name="counters",
        ),
        CheckConstraint("cancelled + reserved + shipped <= qty", name="units"),
        CheckConstraint(
            "shipped + voided <= captured AND captured <= qty", name="captured"
        ),
        CheckConstraint("voided <= cancelled", name="voided"),
        CheckConstraint("returned <= shipped", name="returned"),
        CheckConstraint("credited <= captured", name="credited"),
        Index("order_lines_of_sku", "sku", "ordered_at", "order_id"),
        Index(
            "order_lines_short",
            "sku",
            postgresql_where="cancelled + reserved + shipped < qty",
        ),
    )


class Reservation(Base):
    __tablename__ = "reservations"
    order_id: Mapped[str] = mapped_column(primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    location: Mapped[str] = mapped_column(primary_key=True)
    sku: Mapped[str]
    qty: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(
            ["order_id", "line"], ["order_lines.order_id", "order_lines.line"]
        ),
        CheckConstraint("qty > 0", name="qty"),
        Index("reservations_stock", "sku", "location"),
    )


# ── money ───────────────────────────────────────────────────────────────────────


class Payment(Base):
    """One authorisation. It has no state column: its counters and ledger rows tell."""

    __tablename__ = "payments"
    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    provider: Mapped[str]
    provider_ref: Mapped[str | None]
    method_ref: Mapped[str]
    customer_ref: Mapped[str | None]
    off_session: Mapped[bool] = mapped_column(server_default="false")
    return_url: Mapped[str | None]
    next_action: Mapped[dict[str, Any] | None]
    multicapture: Mapped[bool] = mapped_column(server_default="false")
    authorized: Mapped[int] = _amount()
    capturing: Mapped[int] = _amount()
    captured: Mapped[int] = _amount()
    released: Mapped[int] = _amount()
    refunding: Mapped[int] = _amount()
    refunded: Mapped[int] = _amount()
    disputed: Mapped[int] = _amount()
    capture_before: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        UniqueConstraint("provider", "provider_ref"),
        CheckConstraint(
            "least(capturing, captured, released, refunding, refunded, disputed) >= 0",
            name="counters",
        ),
        CheckConstraint(
            "capturing + captured + released <= authorized", name="authorized"
        ),
        CheckConstraint("refunding + refunded <= captured", name="refunded"),
        Index("payments_order", "order_id"),
    )


class LedgerRow(Base):
    """A request to the provider about money: written before the call, settled after it.
    The id is the provider's idempotency key; `ref` is the shipment or refund it is
    for."""

    __tablename__ = "ledger"
    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    kind: Mapped[str]
    amount: Mapped[int] = _amount(None)
    status: Mapped[str]
    ref: Mapped[str]
    attempt: Mapped[int] = mapped_column(server_default="1")
    provider_ref: Mapped[str | None]
    failure: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    # Empty until just before the call: then there is nothing to look up. Writers that
    # do not name it have sent it.
    sent_at: Mapped[datetime | None] = mapped_column(server_default=NOW)
    settled_at: Mapped[datetime | None]
    __table_args__ = (
        _one_of("kind", "authorize capture release refund", "kind"),
        _one_of("status", "pending succeeded failed", "status"),
        # Below zero: a correction of an earlier booking.
        CheckConstraint("amount <> 0", name="amount"),
        UniqueConstraint("payment_id", "kind", "ref", "attempt"),
        Index(
            "ledger_once",
            "payment_id",
            "kind",
            "ref",
            unique=True,
            postgresql_where="status IN ('pending', 'succeeded')",
        ),
        Index("ledger_pending", "created_at", postgresql_where="status = 'pending'"),
        Index("ledger_refunds", "provider_ref", postgresql_where="kind = 'refund'"),
    )


class Dispute(Base):
    """A dispute about a payment, under the provider's own id. `withdrawn` is what the
    provider has taken until the bank decides."""

    __tablename__ = "disputes"
    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    amount: Mapped[int] = _amount(None)
    withdrawn: Mapped[int] = _amount()
    status: Mapped[str]
    reason: Mapped[str]
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        CheckConstraint("amount > 0 AND withdrawn >= 0", name="amount"),
        Index("disputes_payment", "payment_id"),
    )


class Refund(Base):
    """`lines` is `[{"line", "quantity", "amount", "tax"}]`, and `deduction` where some
    of the price was kept, which is not in its amount; `amount` is the sum of theirs,
    the `shipping` given back and the `goodwill`. Older ones have no `tax`, and no
    amounts in their lines."""

    __tablename__ = "refunds"
    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    return_id: Mapped[str | None] = mapped_column(ForeignKey("returns.id"))
    reason: Mapped[str]
    amount: Mapped[int] = _amount(None)
    shipping: Mapped[int] = _amount()
    goodwill: Mapped[int] = _amount()
    tax: Mapped[int | None] = mapped_column(BigInteger)
    shipping_tax: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str]
    lines: Mapped[list[Any]] = mapped_column(server_default="[]")
    requested_by: Mapped[str]
    approved_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        _one_of("reason", "cancellation return lost damaged goodwill price", "reason"),
        _one_of("status", "pending succeeded failed", "status"),
        CheckConstraint("amount > 0", name="amount"),
        Index("refunds_order", "order_id"),
        Index("refunds_newest", "created_at", "id"),
    )


# ── goods ───────────────────────────────────────────────────────────────────────


class Shipment(Base):
    """`captured_at` is set once its money is taken (or nothing is due); `packed`
    also needs the label. `parcel` is grams and millimetres."""

    __tablename__ = "shipments"
    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    # As a line's.
    ordered_at: Mapped[datetime | None]
    location: Mapped[str]
    status: Mapped[str]
    amount: Mapped[int] = _amount()
    capture_id: Mapped[str | None] = mapped_column(ForeignKey("ledger.id"), unique=True)
    captured_at: Mapped[datetime | None]
    parcel: Mapped[dict[str, Any] | None]
    # The same for a parcel: who wants it cancelled.
    cancel_wanted: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )
    carrier: Mapped[str | None]
    tracking: Mapped[str | None] = mapped_column(unique=True)
    # Whether its carrier reports where it is; otherwise no scan is missed.
    tracked: Mapped[bool] = mapped_column(server_default="true")
    label_ref: Mapped[str | None]
    label_url: Mapped[str | None]
    tracking_status: Mapped[str | None]
    tracking_at: Mapped[datetime | None]
    # Labels that were given up before it left: `{"ref", "tracking", "voided"}`.
    spoilt_labels: Mapped[list[Any]] = mapped_column(server_default="[]")
    eta: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    shipped_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    __table_args__ = (
        _one_of(
            "status",
            "ready packed shipped delivered returned lost cancelled",
            "status",
        ),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint(
            "status IN ('ready', 'cancelled') OR capture_id IS NOT NULL OR amount = 0",
            name="no_money_no_parcel",
        ),
        CheckConstraint(
            "label_ref IS NULL OR captured_at IS NOT NULL", name="no_money_no_label"
        ),
        Index("shipments_order", "order_id"),
        Index("shipments_queue", "status", "location", "created_at"),
        Index("shipments_oldest", "created_at", "id"),
        Index(
            "shipments_of_location",
            "location",
            "ordered_at",
            "order_id",
            postgresql_where="status <> 'cancelled'",
        ),
        Index(
            "shipments_spoilt",
            "spoilt_labels",
            postgresql_using="gin",
            postgresql_where="spoilt_labels <> '[]'",
        ),
    )


class Package(Base):
    """A box of a shipment beside the first, which is kept with the shipment."""

    __tablename__ = "packages"
    shipment_id: Mapped[str] = mapped_column(
        ForeignKey("shipments.id"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    parcel: Mapped[dict[str, Any]]
    carrier: Mapped[str | None]
    tracking: Mapped[str | None] = mapped_column(unique=True)
    label_ref: Mapped[str | None]
    label_url: Mapped[str | None]
    tracking_status: Mapped[str | None]
    tracking_at: Mapped[datetime | None]
    eta: Mapped[date | None]
    __table_args__ = (CheckConstraint("number > 1", name="number"),)


class ShipmentLine(Base):
    __tablename__ = "shipment_lines"
    shipment_id: Mapped[str] = mapped_column(
        ForeignKey("shipments.id"), primary_key=True
    )
    order_id: Mapped[str]
    line: Mapped[int] = mapped_column(primary_key=True)
    qty: Mapped[int]
    __table_args__ = (
        ForeignKeyConstraint(
            ["order_id", "line"], ["order_lines.order_id", "order_lines.line"]
        ),
        CheckConstraint("qty >= 0", name="qty"),
        Index("shipment_lines_order", "order_id", "line"),
    )


class Return(Base):
    __tablename__ = "returns"
    id: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[str] = mapped_column(ForeignKey("orders.id"))
    status: Mapped[str]
    tracking: Mapped[str | None]
    label_ref: Mapped[str | None]
    label_url: Mapped[str | None]
    due_at: Mapped[datetime | None]
    remind_at: Mapped[datetime | None]
    requested_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (
        _one_of(
            "status", "requested approved received closed rejected expired", "status"
        ),
        Index("returns_order", "order_id"),
        Index("returns_queue", "status", "created_at"),
        Index("returns_newest", "created_at", "id"),
        Index("returns_tracking", "tracking"),
    )


class ReturnLine(Base):
    __tablename__ = "return_lines"
    return_id: Mapped[str] = mapped_column(ForeignKey("returns.id"), primary_key=True)
    order_id: Mapped[str]
    line: Mapped[int] = mapped_column(primary_key=True)
    qty: Mapped[int]
    reason: Mapped[str] = mapped_column(Text())
    accepted: Mapped[int | None]
    disposition: Mapped[str | None]
    # The sum that the shop deducts from the accepted units' price, because they came
    # back worn.
    deduction: Mapped[int] = _amount()
    __table_args__ = (
        ForeignKeyConstraint(
            ["order_id", "line"], ["order_lines.order_id", "order_lines.line"]
        ),
        CheckConstraint("qty > 0", name="qty"),
        CheckConstraint("accepted BETWEEN 0 AND qty", name="accepted"),
        CheckConstraint(
            "deduction = 0 OR (deduction > 0 AND accepted > 0)", name="deduction"
        ),
        _one_of("disposition", "restock quarantine discard", "disposition"),
    )


# ── exports ─────────────────────────────────────────────────────────────────────


class Export(Base):
    """A file of rows from `begins_at` to `ends_at`, and how far it is: `position` is
    that of the last row in its chunks. It is not begun while a transaction from before
    `transaction_id` runs, which may still commit a row of its time."""

    __tablename__ = "exports"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    format: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="running")
    begins_at: Mapped[datetime | None]
    ends_at: Mapped[datetime]
    requested_by: Mapped[str]
    rows_expected: Mapped[int] = _amount(None)
    rows_written: Mapped[int] = _amount()
    bytes: Mapped[int] = _amount()
    chunks: Mapped[int] = _counter()
    position: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    transaction_id: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    __table_args__ = (
        _one_of("kind", "orders lines refunds movements", "kind"),
        _one_of("format", "csv jsonl", "format"),
        _one_of("status", "running done failed expired", "status"),
        Index("exports_newest", "created_at", "id"),
        Index("exports_running", "requested_by", postgresql_where="status = 'running'"),
    )


class ExportChunk(Base):
    """A part of a file, compressed by itself (zlib)."""

    __tablename__ = "export_chunks"
    export_id: Mapped[str] = mapped_column(
        ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]
