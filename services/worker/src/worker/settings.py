"""The worker's settings."""

from datetime import timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode
from shared.contracts.money import AmountLimit, parse_limit
from shared.contracts.orders.links import LINK_ACTIONS
from shared.platform.links import LinkSettings
from shared.platform.pages import customers_page
from shared.platform.settings import (
    DatabaseSettings,
    Duration,
    ObservabilitySettings,
    Settings,
    TemporalSettings,
)

T = TypeVar("T")


def _by_location(value: object) -> object:
    if not isinstance(value, str):
        return value
    entries = [entry.partition("=") for entry in value.split()]
    if not all(place and address for place, _, address in entries):
        raise ValueError("must be entries such as paris=FR/adr_1")
    return {place: address for place, _, address in entries}


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


def _limit(value: object) -> object:
    return parse_limit(str(value)) if isinstance(value, str | int) else value


Limit = Annotated[AmountLimit, NoDecode, BeforeValidator(_limit)]


def _with_keys(page: str, others: ValidationInfo) -> str:
    """Raises `ValueError` for a page with a `{token}` that no key could sign."""
    keys = ("order_link_keys", "order_link_keys_file")
    # A refused key may have been given.
    if "{token}" in page and all(others.data.get(k, "refused") is None for k in keys):
        raise ValueError("{token} needs ORDER_LINK_KEYS or ORDER_LINK_KEYS_FILE")
    return page


class VersioningSettings(Settings):
    temporal_deployment_name: str | None = None
    """Worker versioning: the deployment's name. Only together with the build id."""
    temporal_worker_build_id: str | None = None
    """Worker versioning: the id of this build. It gets no work until somebody makes it
    current."""


class WorkerSettings(
    DatabaseSettings,
    TemporalSettings,
    LinkSettings,
    ObservabilitySettings,
    VersioningSettings,
):
    stripe_api_key: SecretStr
    """Our secret key at the payment provider."""
    stripe_api_base: str | None = None
    """Unset: Stripe itself. The development stack points it at its simulator."""
    carrier: Literal["manual", "simulator", "easypost"] = "manual"
    """The carrier. With `manual`, people enter labels and numbers by hand, and report
    what has arrived."""
    carrier_api_base: str | None = None
    """The address of the simulator, or of EasyPost (unset: EasyPost itself)."""
    easypost_api_key: SecretStr | None = None
    """Our secret key at EasyPost."""
    easypost_from_address: str | None = None
    """The id (`adr_…`) at EasyPost of the address that parcels are sent from, after its
    country if that is to be known: `DE/adr_…`."""
    easypost_senders: Annotated[
        dict[str, str], NoDecode, BeforeValidator(_by_location)
    ] = Field(default_factory=dict)
    """The same for locations with another address: `rome=IT/adr_1 bern=adr_2`."""
    customs_signer: str | None = None
    """The name that certifies customs declarations. Unset: they are not certified."""
    smtp_host: str | None = None
    """The mail server. Unset: customers get no mails."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """The mail server's port."""
    smtp_username: str | None = None
    """The login at the mail server. Unset: none."""
    smtp_password: SecretStr | None = None
    """The password of that login."""
    smtp_tls: bool = True
    """Mails go out encrypted only: from the start on port 465, else by STARTTLS."""
    mail_from: str | None = None
    """The sender of every mail."""
    staff_mail: str | None = None
    """The address of the staff who get a mail when a payment is disputed. Unset:
    nobody."""
    mail_templates: DirectoryPath | None = None
    """A directory with the shop's own templates and catalogues for mails. For whatever
    is not in it, and if unset: ours."""
    shop_order_url: str | None = None
    """The page of an order that mails link to: the shop's own, such as
    `https://shop.example.com/orders/{order_id}`, or the console's for customers, who
    need no account there: `https://console.example.com/o/{token}`. `SMTP_HOST` needs
    it, and `{token}` needs `ORDER_LINK_KEYS`."""
    shop_return_url: str | None = None
    """The page with the label of a return, such as
    `https://shop.example.com/returns/{return_id}`, or the console's:
    `https://console.example.com/o/{token}?label={return_id}`. Unset: mails do not link
    to labels."""
    order_link_lives: Duration = timedelta(days=60)
    """How long a `{token}` is valid: goods may come back for 30 days, and their label
    is printed within three weeks more."""
    order_link_actions: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_words)
    ] = tuple(LINK_ACTIONS)
    """What a `{token}` allows, separated by blanks: `read`, and any of `address pay
    cancel return`."""
    approval_limit: Limit = AmountLimit(100_000)
    """Orders above this total, in minor units, wait for approval; by currency:
    `100000 HUF=40000000`. One that is not listed has the first number, in its own minor
    units."""
    approval_limit_new_customer: Limit = AmountLimit(50_000)
    """The same limit for a customer's first order."""
    approval_limit_return: Limit = AmountLimit(50_000)
    """The same limit for the price of what a customer sends back."""
    approval_burst_orders: int = Field(10, ge=1)
    """If a customer places more orders than this within an hour, they wait for
    approval."""
    stock_held_minutes: float = Field(30, gt=0)
    """How long an order keeps its stock while no authorisation covers it."""
    payment_attempts_per_order: int = Field(10, ge=1)
    """After this many failed attempts to pay an order, a person looks at it."""
    payment_attempts_per_customer: int = Field(20, ge=1)
    """The same within an hour, over all orders of a customer."""
    mails_per_hour: int = Field(20, ge=1)
    """How many mails one address gets within an hour; further ones are not sent."""
    refund_limit: Limit = AmountLimit(10_000)
    """How much of an order one clerk may refund alone, in minor units; by currency as
    in `APPROVAL_LIMIT`."""
    contacts_live_days: int = Field(730, ge=1)
    """How long an order's contact is kept after its end, before it is erased."""
    graceful_shutdown_seconds: float = Field(20, ge=0)
    """How long running steps may take to finish after SIGTERM. The pod's grace period
    must be longer."""
    max_concurrent_steps: int = Field(100, ge=1)
    """How many activities run at once on each task queue."""
    max_cached_workflows: int = Field(150, ge=0)
    """How many workflows each task queue keeps in memory between their tasks."""

    @field_validator("carrier_api_base")
    @classmethod
    def _simulator_is_somewhere(
        cls, base: str | None, others: ValidationInfo
    ) -> str | None:
        if base is None and others.data.get("carrier") == "simulator":
            raise ValueError("CARRIER=simulator needs CARRIER_API_BASE")
        return base

    @field_validator("easypost_api_key", "easypost_from_address")
    @classmethod
    def _easypost_knows_us(cls, ours: T, others: ValidationInfo) -> T:
        if not ours and others.data.get("carrier") == "easypost":
            raise ValueError(f"CARRIER=easypost needs {str(others.field_name).upper()}")
        return ours

    @field_validator("smtp_password")
    @classmethod
    def _login_is_whole(
        cls, password: SecretStr | None, others: ValidationInfo
    ) -> SecretStr | None:
        if password is None and others.data.get("smtp_username") is not None:
            raise ValueError("SMTP_USERNAME needs SMTP_PASSWORD")
        return password

    @field_validator("temporal_worker_build_id")
    @classmethod
    def _is_versioned_or_not(
        cls, build: str | None, others: ValidationInfo
    ) -> str | None:
        # With only one of them the worker would be unversioned, without a warning.
        if (build is None) != (others.data.get("temporal_deployment_name") is None):
            raise ValueError(
                "TEMPORAL_DEPLOYMENT_NAME and TEMPORAL_WORKER_BUILD_ID need each other"
            )
        return build

    @field_validator("mail_from")
    @classmethod
    def _mail_has_a_sender(
        cls, sender: str | None, others: ValidationInfo
    ) -> str | None:
        if sender is None and others.data.get("smtp_host") is not None:
            raise ValueError("SMTP_HOST needs MAIL_FROM")
        return sender

    @field_validator("shop_order_url")
    @classmethod
    def _mail_leads_to_the_shop(
        cls, page: str | None, others: ValidationInfo
    ) -> str | None:
        if page is None and others.data.get("smtp_host") is not None:
            raise ValueError("SMTP_HOST needs SHOP_ORDER_URL")
        if page is not None and not ("{order_id}" in page or "{token}" in page):
            raise ValueError("must have {order_id} or {token} in it")
        return page if page is None else _with_keys(customers_page(page), others)

    @field_validator("shop_return_url")
    @classmethod
    def _label_is_at_the_shop(
        cls, page: str | None, others: ValidationInfo
    ) -> str | None:
        if page is not None and "{return_id}" not in page:
            raise ValueError("must have {return_id} in it")
        return page if page is None else _with_keys(customers_page(page), others)

    @field_validator("order_link_lives")
    @classmethod
    def _is_a_while(cls, lives: timedelta) -> timedelta:
        if lives <= timedelta():
            raise ValueError("must be a time")
        return lives

    @field_validator("order_link_actions")
    @classmethod
    def _are_actions(cls, actions: tuple[str, ...]) -> tuple[str, ...]:
        if "read" not in actions or not {*actions} <= LINK_ACTIONS.keys():
            raise ValueError(f"must be read, and any of {', '.join(LINK_ACTIONS)}")
        return actions

    @property
    def graceful_shutdown(self) -> timedelta:
        return timedelta(seconds=self.graceful_shutdown_seconds)

    @property
    def stock_held(self) -> timedelta:
        return timedelta(minutes=self.stock_held_minutes)

    @property
    def contacts_live(self) -> timedelta:
        return timedelta(days=self.contacts_live_days)
