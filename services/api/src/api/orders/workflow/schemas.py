"""An order's process over HTTP: what it waits for, and its workflows."""

from datetime import datetime
from typing import Literal

from api.http.schemas import View


class WaitingFor(View):
    """`then` is what happens at `due_at` if nobody acts. `hold_id` is the hold to
    release."""

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
    """A step that a workflow is trying. `attempt` counts from 1."""

    workflow_id: str
    type: str
    attempt: int
    last_error: str | None
    next_at: datetime | None


class Process(View):
    """`running` is null while Temporal does not answer; everything else comes from the
    database."""

    workflow_id: str
    running: bool | None
    waiting_for: list[WaitingFor]
    pending_activities: list[PendingActivity]
    ui_url: str | None


class Resumed(View):
    workflow_id: str
