"""What operators and finance look at over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.http.paging import ListQuery
from api.http.schemas import Note, Request, Subject, View, Word


class WaitingFor(View):
    """`since` when, until `due_at` if it has an end, and what happens `then` if nobody
    acts. `hold_id` is what to release."""

    what: Literal[
        "decision",
        "stock",
        "provider",
        "packing",
        "handover",
        "delivery",
        "return",
    ]
    subject: str
    reason: str | None = None
    hold_id: str | None = None
    detail: str
    since: datetime
    due_at: datetime | None = None
    then: str


class PendingActivity(View):
    """What a workflow tries at this moment. `attempt` counts from 1."""

    workflow_id: str
    type: str
    attempt: int
    last_error: str | None
    next_at: datetime | None


class Process(View):
    """`running` is null while Temporal does not answer; the rest is true all the
    same."""

    workflow_id: str
    running: bool | None
    waiting_for: list[WaitingFor]
    pending_activities: list[PendingActivity]
    ui_url: str | None


class Resumed(View):
    workflow_id: str


class NewErasure(Request):
    """The id that the customer's orders have. It is in the body because URLs are
    written to logs on the way."""

    customer_id: Subject

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "c-42"}]})


class Erasure(View):
    """`id` stands from now on where the customer's own id stood: it lists the orders
    that were theirs, and does not lead to the person."""

    id: str
    orders: int


class DiscrepancyQuery(ListQuery):
    """The open ones, unless `open=false` asks for those that are resolved."""

    kind: Word | None = None
    subject: Word | None = None
    is_open: Annotated[bool, Field(alias="open")] = True


class Resolution(Request):
    note: Note

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"note": "Captured by hand at the provider, see ticket 42."}]
        }
    )


class Discrepancy(View):
    id: str
    kind: str
    subject: str
    detail: dict[str, Any]
    found_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    note: str | None


class AuditRow(View):
    """A row of one of the views that should have none."""

    view: str
    subject: str
    detail: dict[str, Any]
