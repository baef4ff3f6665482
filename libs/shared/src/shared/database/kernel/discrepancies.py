"""Discrepancies that the audits find: one open row for each kind and subject."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import text

from shared.database.engine import Connection
from shared.database.ids import new_id


@dataclass(frozen=True)
class Finding:
    """`detail` holds ids and amounts that help whoever works on it."""

    kind: str
    subject: str
    detail: Mapping[str, object]


async def report(
    connection: Connection, process: str, findings: Iterable[Finding]
) -> int:
    """Store the findings. Returns how many are new; safe to repeat."""
    new = 0
    for finding in findings:
        new += await connection.count(
            _REPORT,
            {
                "id": new_id("dis"),
                "process": process,
                "kind": finding.kind,
                "subject": finding.subject,
                "detail": json.dumps(dict(finding.detail)),
            },
        )
    return new


_REPORT = text(
    """
    INSERT INTO discrepancies (id, process, kind, subject, detail)
    VALUES (:id, :process, :kind, :subject, cast(:detail AS jsonb))
    ON CONFLICT (kind, subject) WHERE resolved_at IS NULL DO NOTHING
    """
)
