"""What the activities need from the outside world; the adapters implement it.

Every call may be repeated under the same key. An unknown outcome raises `Unavailable`;
the caller then looks before it repeats.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

from shared.contracts.orders.payloads import Parcel
from shared.contracts.orders.states import DisputeStatus
from temporalio.exceptions import ApplicationError


class Unavailable(ApplicationError):
    """Nobody knows whether it happened: no answer, or an error that is not final.
    `understood` is false if the error is in no table of ours."""

    def __init__(self, who: str, why: str, *, understood: bool = True) -> None:
        super().__init__(f"{who}: {why}", type="unavailable")
        self.why = why
        self.understood = understood


class Refused(Exception):
    """The peer refused for good: nothing happened. `code` is its reason, `ref` names
    what it made all the same, such as a payment that was declined."""

    def __init__(self, code: str, ref: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.ref = ref


class MovedOn(Refused):
    """The object is in another state than expected; reading it again tells in which."""


class KeySpent(Exception):
    """The provider stored an error under this key and will answer it for ever. The
    request is over: after a look, go on under a new key."""


# ── payments ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Authorization:
    """`amount` in minor units of `currency`. `payment_id` finds it again."""

    order_id: str
    payment_id: str
    amount: int
    currency: str
    method_ref: str
    customer_ref: str
    off_session: bool
    return_url: str | None


@dataclass(frozen=True)
class ProviderPayment:
    """A payment as the provider has it now. Amounts in minor units. `ref` is empty
    where it was refused before there was any."""

    ref: str
    status: Literal[
        "authorized", "requires_action", "declined", "cancelled", "captured"
    ]
    authorized: int
    captured: int
    currency: str = ""
    """ISO 4217; empty where nothing was made."""
    capture_before: datetime | None = None
    multicapture: bool = False
    failure: str | None = None
    redirect_url: str | None = None
    client_secret: str | None = None
    """The shop's page needs it to have the customer authenticate; nobody else may see
    it."""
    captured_for: str | None = None
    """What the last capture was for, as the caller of `capture` named it."""


def declined(why: str, ref: str = "") -> ProviderPayment:
    """A payment that was refused: no money moved."""
    return ProviderPayment(
        ref=ref, status="declined", authorized=0, captured=0, failure=why
    )


@dataclass(frozen=True)
class ProviderRefund:
    ref: str
    status: Literal["succeeded", "pending", "failed"]
    failure: str | None = None
    amount: int = 0
    currency: str = ""


@dataclass(frozen=True)
class ProviderDispute:
    """Minor units. `due_at` is when evidence is due."""

    ref: str
    payment_ref: str
    amount: int
    currency: str
    status: DisputeStatus
    reason: str
    due_at: datetime | None


@dataclass(frozen=True)
class Booked:
    """A payment in the provider's books. Minor units; `held` is authorised and neither
    captured nor given back, `refunded` went back or is on its way."""

    ref: str
    payment_id: str | None
    cancelled: bool
    held: int
    captured: int
    refunded: int


class PaymentProvider(Protocol):
    """`key` is the ledger row's id; the provider has one effect for it."""

    name: str

    async def customer(self, customer: str) -> str:
        """The provider's id of our customer. Creates one if there is none."""
        ...

    async def erase_customer(self, ref: str) -> None:
        """Delete the customer with its saved methods. Succeeds if there is no such
        customer."""
        ...

    async def authorize(
        self, authorization: Authorization, key: str
    ) -> ProviderPayment: ...

    async def find(
        self, authorization: Authorization, since: datetime
    ) -> ProviderPayment | None:
        """The payment of this `payment_id`, if it exists."""
        ...

    async def payment(self, ref: str) -> ProviderPayment: ...

    async def booked(self, ref: str) -> Booked | None:
        """The payment with its refunds; `None` where the provider knows none."""
        ...

    def changed_payments(self, since: datetime, until: datetime) -> AsyncIterator[str]:
        """References of the payments that changed in the window; may contain
        repeats."""
        ...

    async def capture(
        self, ref: str, amount: int, *, final: bool, what: str, key: str
    ) -> ProviderPayment:
        """Capture once per `key`. `what` it is for becomes the payment's
        `captured_for`."""
        ...

    async def release(self, ref: str, key: str) -> ProviderPayment: ...

    async def refund(
        self, ref: str, amount: int, *, refund_id: str, key: str
    ) -> ProviderRefund: ...

    async def dispute(self, ref: str) -> ProviderDispute:
        """Raises `Refused` where there is none."""
        ...

    async def find_refund(
        self, ref: str, *, refund_id: str, key: str
    ) -> ProviderRefund | None:
        """The refund made under `key`, or a live one for this refund."""
        ...


# ── carriers ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Address:
    """Fields that a country does not use are missing."""

    name: str
    street: str
    city: str | None
    postal_code: str | None
    country: str
    company: str | None = None
    street2: str | None = None
    region: str | None = None
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Content:
    """Goods of a parcel as customs want them declared. `value` is that of all units, in
    minor units of `currency`; `origin` is a country."""

    name: str
    units: int
    value: int
    currency: str
    hs_code: str | None
    origin: str | None


@dataclass(frozen=True)
class Consignment:
    """What a label is for. The carrier sells one label for a `reference`. `address` is
    the customer's and `location` is ours, in both directions. Carrier and `service`
    come from the shipping method; without them the cheapest carrier is taken."""

    reference: str
    address: Address
    parcel: Parcel
    location: str
    carrier: str | None = None
    service: str | None = None
    contents: tuple[Content, ...] = ()


@dataclass(frozen=True)
class Label:
    ref: str
    carrier: str
    tracking: str | None
    eta: date | None = None
    tracked: bool = True
    """Whether the carrier tells where the parcel is."""
    url: str | None = None
    """Where its PDF is, if not at the carrier under `ref`."""


@dataclass(frozen=True)
class Tracking:
    """Where a parcel is now, in the words of `TrackingStatus`."""

    tracking: str
    status: str
    at: datetime
    eta: date | None = None


class AddressRefused(Exception):
    """Nothing can be sent to this address; only a person can correct it. `cause` is a
    word for programs; `fields` name what is wrong, and never what it is."""

    def __init__(self, cause: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fields = fields


class Carrier(Protocol):
    name: str
    repeatable: bool
    """Whether a purchase may be repeated while the first may still be under way."""

    async def close(self) -> None: ...

    async def buy_label(self, wanted: Consignment) -> Label:
        """Buy one label for a `reference`; a repeat returns the first. Raises
        `AddressRefused`, `Refused`, `Unavailable`."""
        ...

    async def buy_return_label(self, wanted: Consignment) -> Label | None:
        """From the customer back to the shop. `None` where this carrier has none.
        Raises like `buy_label`."""
        ...

    async def void_label(self, label_ref: str) -> None:
        """Does nothing if the label is void already or was used."""
        ...

    async def track(self, tracking: str) -> Tracking | None:
        """`None` if this carrier does not track parcels."""
        ...


# ── mail ────────────────────────────────────────────────────────────────────────
