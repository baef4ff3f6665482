"""Webhook endpoints over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from api.http.forms import written_as
from api.http.paging import Moment
from api.http.schemas import Email, Line, Request, View, examples
from api.kernel.feed.schemas import LATEST, EventPattern

EndpointStatus = Literal["enabled", "disabled", "failed"]
Url = Annotated[
    str,
    written_as(
        r"^[hH][tT][tT][pP][sS]?://[^\s\x00-\x20\x7f\\@#]+$",
        "an address such as https://erp.example.com/hooks, without user and fragment",
        max_length=500,
    ),
]


def _each_once(types: list[str]) -> list[str]:
    return list(dict.fromkeys(types))


Types = Annotated[
    list[EventPattern],
    Field(min_length=1, max_length=50, fail_fast=True),
    AfterValidator(_each_once),
]
Secret = Annotated[
    str,
    written_as(
        r"^whsec_[A-Za-z0-9+/]*={0,2}$",
        "whsec_ and 24 to 64 bytes in base64",
        max_length=100,
    ),
]


class NewWebhookEndpoint(Request):
    """`types` may be `order.placed`, `shipment.*` or `*`. `after` is a position of the
    feed to begin behind; `latest`: with what comes from now on."""

    url: Url
    owner_email: Email
    """Gets a mail when deliveries fail for good."""
    types: Types = Field(["*"])
    description: Line | None = None
    secret: Secret | None = None
    """Left out: one is made."""
    after: Annotated[str, Field(max_length=50)] = LATEST

    model_config = examples(
        {
            "url": "https://erp.example.com/hooks",
            "owner_email": "erp-team@example.com",
            "types": ["order.*", "shipment.delivered"],
        }
    )


class WebhookEndpointPatch(Request):
    """Fields that are left out stay unchanged."""

    url: Url | None = None
    owner_email: Email | None = None
    types: Types | None = None
    description: Line | None = None


class WebhookEndpoint(View):
    """`position` is how far it has received the feed, except for pending deliveries.
    `failures` counts failed attempts in a row since `failing_since`; the next is made
    after `rests_until`. `failed`: no success for three days, or the answer 410; nothing
    is sent until it is enabled, and nothing is lost."""

    id: str
    url: str
    description: str | None
    owner_email: str
    types: list[str]
    status: EndpointStatus
    position: str
    failures: int
    failing_since: datetime | None
    rests_until: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


class WebhookSecret(View):
    """`previous` also signs until `previous_until`."""

    secret: str
    previous: str | None
    previous_until: datetime | None


class Rotation(Request):
    """The old secret also signs for `overlap_hours`."""

    secret: Secret | None = None
    """Left out: one is made."""
    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class Redelivery(Request):
    """Sends all events since then again, at most 30 days back."""

    since: Annotated[Moment, Field(strict=False)]

    model_config = examples({"since": "2026-11-30T08:00:00Z"})
