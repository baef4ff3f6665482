"""Orders over HTTP."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    WithJsonSchema,
)
from pydantic.config import JsonDict
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import (
    MoneyStatus,
    OrderStatus,
    ReturnStatus,
    ShipmentStatus,
)

from api.http.forms import written_as
from api.http.paging import ListQuery, Moment
from api.http.schemas import (
    Address,
    Category,
    Currency,
    Email,
    Line,
    LineQuantity,
    Lines,
    Locale,
    Many,
    Money,
    Note,
    Phone,
    Quantity,
    Request,
    Sku,
    Subject,
    View,
    Word,
    examples,
    readable,
)

_NO_BLANK = r"[^\x00-\x20\x7f-\x9f]"
Reference = Annotated[
    str,
    written_as(
        rf"^{_NO_BLANK}([^\x00-\x1f\x7f-\x9f]{{0,98}}{_NO_BLANK})?$",
        "a text of up to 100 characters without blanks around it",
    ),
    AfterValidator(readable),
]
MetadataKey = Annotated[
    str,
    written_as(
        r"^[A-Za-z0-9_.-]{1,40}$",
        "a word of up to 40 letters, digits, dots, dashes and underscores",
    ),
]


def _plain(value: object) -> object:
    match value:
        case bool():
            return value
        case str() if len(value) <= 500:
            return readable(value)
        case int() if abs(value) <= 2**53:
            return value
    raise ValueError("must be a text of up to 500 characters, an integer or a boolean")


MetadataValue = Annotated[
    Any,
    AfterValidator(_plain),
    WithJsonSchema({"type": ["string", "integer", "boolean"], "maxLength": 500}),
]
Url = Annotated[
    str,
    written_as(r"^https?://[!-~]{1,2000}$", "an address on the web", max_length=2000),
]
PaymentMethod = Annotated[
    str,
    written_as(
        r"^[A-Za-z0-9_-]{1,100}$", "the provider's id of a method, such as pm_123"
    ),
]

Percent = Annotated[
    str, written_as(r"^[0-9]{1,3}(\.[0-9]{1,4})?$", "a rate in percent, such as 8.875")
]

EXAMPLE_ADDRESS: JsonDict = {
    "name": "Ada Example",
    "street": "Example Street 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
EXAMPLE_ORDER: JsonDict = {
    "customer_id": "customer-42",
    "external_ref": "web-1001",
    "currency": "EUR",
    "lines": [{"sku": "TEA-ASSAM", "quantity": 2}],
    "shipping": {"method": "standard", "amount": {"amount": 490, "currency": "EUR"}},
    "expected_total": {"amount": 3070, "currency": "EUR"},
    "contact": {"name": "Ada Example", "email": "ada@example.com", "locale": "en"},
    "ship_to": EXAMPLE_ADDRESS,
    "payment": {"method": "pm_card_visa"},
}
EXAMPLE_PRICED_ORDER: JsonDict = EXAMPLE_ORDER | {
    "external_ref": "web-1002",
    "lines": [
        {
            "sku": "TEA-ASSAM",
            "quantity": 2,
            "unit_price": {"amount": 1190, "currency": "EUR"},
            "discounts": [
                {
                    "code": "SECOND-HALF",
                    "reason": "offer",
                    "amount": {"amount": 595, "currency": "EUR"},
                }
            ],
        }
    ],
    "discounts": [
        {"code": "SPRING", "amount": {"amount": 500, "currency": "EUR"}},
    ],
    "expected_total": {"amount": 1775, "currency": "EUR"},
}
"""As whoever has `orders:price` sends it."""


# ── requests ────────────────────────────────────────────────────────────────────


class NewDiscount(Request):
    """`code` is your reference, such as a coupon's code; `reason` is your own category.
    Neither may contain personal data."""

    code: Category
    reason: Category | None = None
    amount: Money


class NewTax(Request):
    """A tax that you calculated; `name` is your label, such as a state's. `rate` is in
    percent."""

    name: Category
    rate: Percent | None = None
    amount: Money


def _each_once(named: Sequence[NewDiscount | NewTax]) -> Sequence[NewDiscount | NewTax]:
    names = [one.code if isinstance(one, NewDiscount) else one.name for one in named]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"must name {twice} only once")
    return named


Discounts = Annotated[
    list[NewDiscount],
    Field(default_factory=list, max_length=20, fail_fast=True),
    AfterValidator(_each_once),
]
Taxes = Annotated[
    list[NewTax], Field(max_length=20, fail_fast=True), AfterValidator(_each_once)
]
TaxTreatment = Literal["included", "added", "exempt"]


class NewLine(Request):
    """`unit_price` is what the buyer was shown; it must be the current price, unless
    the caller sets prices (`orders:price`). Only such a caller gives `discounts`, which
    are taken off the price of all units together, and `taxes`, which are those of all
    units after all discounts."""

    sku: Sku
    quantity: Quantity
    unit_price: Money | None = None
    discounts: Discounts
    taxes: Taxes | None = None


class Shipping(Request):
    """`amount` is what the buyer was shown; it must be the method's price there, unless
    the caller sets prices (`orders:price`)."""

    method: Word
    amount: Money | None = None
    taxes: Taxes | None = None


class NewContact(Request):
    name: Line
    email: Email
    phone: Phone | None = None
    locale: Locale | None = None


class NewPayment(Request):
    """`method` is the provider's id of a payment method; `return_url` is where the
    provider sends the buyer back to after asking for authentication; without one, the
    shop's own page asks with the `client_secret` of `next_action`. `customer` is the
    provider's id of a customer that the shop has made there itself; only a service
    may name it."""

    method: PaymentMethod
    return_url: Url | None = None
    customer: PaymentMethod | None = None


class NewOrder(Request):
    """A customer's own token needs no `customer_id`; a service must give one. With an
    `expected_total` the order is placed for that sum or not at all. `discounts` are
    those of all goods together (`orders:price`); they are spread over the lines. An
    order that costs nothing needs no `payment`.

    `tax_treatment`: prices have taxes `included`, as they have where nothing else is
    said; or they are net, and the given taxes are `added`; or the customer is `exempt`,
    and pays the prices as they are given. Of such orders every price is given.
    """

    customer_id: Subject | None = None
    external_ref: Reference | None = None
    currency: Currency
    tax_treatment: TaxTreatment = "included"
    lines: Many[NewLine]
    shipping: Shipping
    discounts: Discounts
    expected_total: Money | None = None
    contact: NewContact
    ship_to: Address
    bill_to: Address | None = None
    payment: NewPayment | None = None
    metadata: Annotated[
        dict[MetadataKey, MetadataValue], Field(default_factory=dict, max_length=50)
    ]

    model_config = examples(EXAMPLE_ORDER, EXAMPLE_PRICED_ORDER)


class Cancellation(Request):
    """Without `lines`: everything that has not shipped. `reason` is your own
    category."""

    lines: Lines[LineQuantity] | None = None
    reason: Category
    note: Note | None = None

    model_config = examples({"reason": "customer-request"})


PaymentStatus = Literal[
    "unpaid",
    "authorized",
    "voided",
    "partially_captured",
    "captured",
    "partially_refunded",
    "refunded",
]
FulfillmentStatus = Literal[
    "unfulfilled",
    "partially_fulfilled",
    "fulfilled",
    "delivered",
    "partially_returned",
    "returned",
]

OrderSort = Literal[
    "created_at", "-created_at", "updated_at", "-updated_at", "number", "-number"
]
T = TypeVar("T")
Several = Annotated[list[T], Field(default_factory=list, max_length=20)]


class OrderQuery(ListQuery):
    """`q` finds a number (with or without `#`), an external reference or an id.
    Whatever takes several values is repeated: `status=placed&status=confirmed` is
    either; different filters are all to hold. A `location` is one that goods of the
    order are sent from; `tracking` is that of a parcel, out or back. Ranges begin with
    their `from` and end before their `to`. `sort` with a minus is the other way
    round."""

    id: Annotated[list[Word], Field(default_factory=list, max_length=200)]
    status: Several[OrderStatus]
    payment_status: Several[PaymentStatus]
    fulfillment_status: Several[FulfillmentStatus]
    hold: Several[HoldReason]
    sku: Several[Sku]
    tracking: Several[Word]
    location: Several[Word]
    customer: Subject | None = None
    q: Word | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    updated_from: Moment | None = None
    updated_to: Moment | None = None
    sort: OrderSort = "-created_at"


class OrderSearch(ListQuery):
    """`q` is an order's number (with or without `#`), reference or id, a parcel's
    tracking number, a mail address, or a name whose words may be cut short (`muller ad`
    finds Ada Müller)."""

    q: Line

    model_config = examples({"q": "ada example"})


# ── answers ─────────────────────────────────────────────────────────────────────


class OrderTax(View):
    """A tax given with the order; `rate` is in percent."""

    name: str
    rate: str | None
    amount: Money


class TaxOfRate(View):
    """The gross `amount` taxed at a rate, and the `tax` in it. Orders of earlier
    versions have no rates. A tax given with the order has its `name` and `rate` (in
    percent); an amount with several taxes appears under each."""

    tax_bp: int | None
    name: str | None
    rate: str | None
    amount: Money
    tax: Money


class Totals(View):
    """`total` is goods and shipping as ordered; it contains `tax`, which `taxes` splits
    by rate; `net` is the rest. `goods` is the price after `discount`. `wanted` is the
    price of everything not cancelled, `to_pay` the part of it still to be paid."""

    goods: Money
    discount: Money
    shipping: Money
    total: Money
    net: Money
    tax: Money
    taxes: list[TaxOfRate]
    wanted: Money
    to_pay: Money
    captured: Money
    refunded: Money
    refundable: Money


class OrderShipping(View):
    """The shipping method and its price. `name`, `carrier` and `service` are the
    method's when the order was placed."""

    method: str
    name: str | None
    carrier: str | None
    service: str | None
    amount: Money
    tax: Money
    tax_bp: int | None
    taxes: list[OrderTax]


class OrderDiscount(View):
    """`of` the order: the line's share of a discount of all goods together."""

    code: str
    reason: str | None
    amount: Money
    of: Literal["line", "order"]


class OrderLine(View):
    """`total` is what its units cost after its `discounts`, as it was frozen when the
    order was placed; orders of earlier versions have no `unit_price`."""

    line: int
    sku: str
    name: str
    quantity: int
    unit_price: Money | None
    discounts: list[OrderDiscount]
    total: Money
    tax: Money
    tax_bp: int | None
    taxes: list[OrderTax]
    cancelled: int
    reserved: int
    shipped: int
    returned: int
    credited: int


class OrderHold(View):
    id: str
    reason: HoldReason
    due_at: datetime | None


class LineUnits(View):
    line: int
    quantity: int


class OrderShipment(View):
    id: str
    status: ShipmentStatus
    location: str
    carrier: str | None
    tracking: str | None
    tracking_status: str | None
    eta: date | None
    lines: list[LineUnits]


class OrderPayment(View):
    id: str
    authorized: Money
    captured: Money
    refunded: Money
    capture_before: datetime | None


class OrderReturn(View):
    id: str
    status: ReturnStatus
    lines: list[LineUnits]


class OrderRefund(View):
    id: str
    status: MoneyStatus
    reason: str
    amount: Money
    tax: Money | None


class Order(View):
    id: str
    number: int
    external_ref: str | None
    customer_id: str
    status: OrderStatus
    reason: str | None
    payment_status: PaymentStatus
    fulfillment_status: FulfillmentStatus
    version: int
    currency: str
    tax_treatment: TaxTreatment
    shipping: OrderShipping
    totals: Totals
    lines: list[OrderLine]
    holds: list[OrderHold]
    shipments: list[OrderShipment]
    payments: list[OrderPayment]
    returns: list[OrderReturn]
    refunds: list[OrderRefund]
    next_action: dict[str, Any] | None
    """What the buyer must do for the payment, as the provider describes it."""
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class PaymentAttempt(View):
    id: str
    status: Literal["succeeded", "failed", "requires_action", "pending"]
    next_action: dict[str, Any] | None = None


class Cancelled(View):
    cancelled: list[LineUnits]
    refund_id: str | None
    order: Order
