"""Places and releases holds: one open hold for a subject and a reason."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text

from shared.database.ids import new_id
from shared.database.kernel.unit_of_work import UnitOfWork


async def place_hold(
    work: UnitOfWork,
    reason: str,
    *,
    due_in: timedelta | None = None,
    due_at: datetime | None = None,
    subject: str | None = None,
    hold_id: str | None = None,
    placed_by: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> str | None:
    """Open a hold and return its id; `None` if one is open already. It sends a reminder
    after half of `due_in`; without that there is no deadline."""
    placed = await work.connection.scalar(
        _PLACE,
        {
            "id": hold_id or new_id("hld"),
            "process": work.process,
            "subject": subject or work.subject,
            "root": work.subject,
            "reason": reason,
            "detail": json.dumps(dict(detail or {})),
            "placed_by": placed_by or work.actor,
            "due_at": due_at,
            "due_in": due_in,
        },
    )
    if placed is not None:
        work.event("hold.placed", hold_id=placed, reason=reason, **dict(detail or {}))
    return None if placed is None else str(placed)


_PLACE = text(
    """
    INSERT INTO holds (id, process, subject, root, reason, detail, placed_by,
                       due_at, remind_at)
    SELECT :id, :process, :subject, :root, :reason, cast(:detail AS jsonb), :placed_by,
           due, now() + (due - now()) / 2
    FROM (SELECT coalesce(cast(:due_at AS timestamptz),
                          now() + cast(:due_in AS interval)) AS due) d
    ON CONFLICT (subject, reason) WHERE released_at IS NULL DO NOTHING
    RETURNING id
    """
)


async def release_holds(
    work: UnitOfWork,
    decision: str,
    *,
    hold_id: str | None = None,
    reason: str | None = None,
    subject: str | None = None,
    note_key: str | None = None,
) -> int:
    """Close the matching open holds of the change's subject, with an event for each.
    Returns how many there were; a repeat closes none."""
    released = await work.connection.execute(
        _RELEASE,
        {
            "decision": decision,
            "actor": work.actor,
            "root": work.subject,
            "hold_id": hold_id,
            "reason": reason,
            "subject": subject,
            "note_key": note_key,
        },
    )
    for row in released:
        work.event(
            "hold.released", hold_id=row.id, reason=row.reason, decision=decision
        )
    return len(released)


_RELEASE = text(
    """
    UPDATE holds SET released_at = now(), decision = :decision,
      decided_by = :actor,
      note = (SELECT n.text FROM notes n WHERE n.key = :note_key)
    WHERE root = :root AND released_at IS NULL
      AND (cast(:hold_id AS text) IS NULL OR id = :hold_id)
      AND (cast(:reason AS text) IS NULL OR reason = :reason)
      AND (cast(:subject AS text) IS NULL OR subject = :subject)
    RETURNING id, reason
    """
)
