"""The three audit views, read as one. No row at any commit: docs/domain.md."""

import json

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.kernel.discrepancies import Finding

_AUDIT = text(
    """
    SELECT 'audit_money' AS kind, id AS subject, to_jsonb(m)::text AS detail
    FROM audit_money m
    UNION ALL
    SELECT 'audit_ledger', id, to_jsonb(l)::text FROM audit_ledger l
    UNION ALL
    SELECT 'audit_stock', sku || '@' || location, to_jsonb(s)::text FROM audit_stock s
    ORDER BY kind, subject
    """
)


async def audit(connection: AsyncConnection) -> list[Finding]:
    """Everything that does not add up, which should be nothing."""
    rows = await connection.execute(_AUDIT)
    return [Finding(row.kind, row.subject, json.loads(row.detail)) for row in rows]
