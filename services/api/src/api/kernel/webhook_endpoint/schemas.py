"""Webhook endpoints over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from api.http.forms import written_as
from api.http.paging import Moment
from api.http.schemas import Email, Line, Request, View
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
    Field(min_length=1, max_length=50),
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
    """Who is told when deliveries fail for good."""
    types: Types = Field(["*"])
    description: Line | None = None
    secret: Secret | None = None
    """Left out: one is made."""
    after: Annotated[str, Field(max_length=50)] = LATEST

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://erp.example.com/hooks",
                    "owner_email": "erp-team@example.com",
                    "types": ["order.*", "shipment.delivered"],
                }
            ]
        }
    )


class WebhookEndpointPatch(Request):
    """What is left out stays as it is."""

    url: Url | None = None
    owner_email: Email | None = None
    types: Types | None = None
    description: Line | None = None


class WebhookEndpoint(View):
    """`position` is how far in the feed it has been told, apart from what is pending.
    `failures` are attempts in a row without success, `failing_since` when they began;
    it is left alone until `rests_until`. `failed`: it has not answered for three days,
    or said that it is gone; nothing is sent until it is enabled, and nothing lost."""

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
    """`previous` signs as well until `previous_until`."""

    secret: str
    previous: str | None
    previous_until: datetime | None


class Rotation(Request):
    """The present secret signs beside the new one for `overlap_hours`."""

    secret: Secret | None = None
    """Left out: one is made."""
    overlap_hours: Annotated[int, Field(ge=0, le=168)] = 24


class Redelivery(Request):
    """All events since then are sent once more, at most those of 30 days."""

    since: Annotated[Moment, Field(strict=False)]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"since": "2026-11-30T08:00:00Z"}]}
    )
