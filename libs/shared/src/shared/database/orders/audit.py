"""Reads the three audit views, which have no row at any commit: docs/domain.md."""

import json

from sqlalchemy import text

from shared.database.engine import Connection
from shared.database.kernel.discrepancies import Finding

AT_MOST = 1000
"""Rows to read of one view: more rows than this have one cause."""

# Each read by itself, for each reads everything, and a statement may only take so long:
# of 200,000 orders the three took 2 seconds on two idle cores, and 10 on busy ones.
_AUDITS = {
    view: text(
        f"""
        SELECT {subject} AS subject, to_jsonb(v)::text AS detail FROM {view} v
        ORDER BY 1 LIMIT {AT_MOST}
        """  # noqa: S608 - our own names
    )
    for view, subject in (
        ("audit_ledger", "id"),
        ("audit_money", "id"),
        ("audit_stock", "sku || '@' || location"),
    )
}


async def audit(connection: Connection) -> list[Finding]:
    """Rows that do not add up: none, if the books balance; at most `AT_MOST` of each
    view."""
    return [
        Finding(view, row.subject, json.loads(row.detail))
        for view, statement in _AUDITS.items()
        for row in await connection.execute(statement)
    ]
