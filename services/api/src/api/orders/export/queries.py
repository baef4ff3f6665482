"""Reads exports, and adds them."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from shared.contracts.errors import NotFound, Refusal
from shared.contracts.orders.exports import EXPORT_LIVES, ExportKind
from shared.database.engine import Connection
from shared.database.orders.exports import counting
from shared.database.rows import Row
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.orders.export.schemas import Export, NewExport

RUNNING_AT_ONCE = 3
"""Running exports of one caller."""


async def add_export(
    connection: Connection, export_id: str, wanted: NewExport, caller: str, most: int
) -> Export:
    """Raises `Refusal` too-many-exports, export-too-large."""
    if await connection.scalar(_RUNNING, {"caller": caller}) >= RUNNING_AT_ONCE:
        raise Refusal("too-many-exports", "Wait for one of them, or delete it.")
    end = await connection.scalar(_END, {"end": wanted.created_to})
    values = {"begin": wanted.created_from, "end": end}
    rows = await connection.scalar(counting(wanted.kind), {**values, "most": most + 1})
    if rows > most:
        raise Refusal(
            "export-too-large",
            f"More than {most} rows are from that time: export it in parts, by"
            " created_from and created_to.",
            most=most,
        )
    added = values | {
        "id": export_id,
        "kind": wanted.kind.value,
        "format": wanted.format.value,
        "caller": caller,
        "rows": rows,
        "lives": EXPORT_LIVES,
    }
    return shown((await connection.execute(_ADD, added)).one())


async def read_export(deps: Dependencies, export_id: str) -> Export:
    """Raises `NotFound`."""
    async with deps.engine.connect() as connection:
        row = (await connection.execute(_ONE, {"id": export_id})).first()
    if row is None:
        raise NotFound("such export")
    return shown(row)


async def page_of_exports(
    deps: Dependencies,
    kinds: Sequence[ExportKind],
    rows: int,
    position: tuple[datetime, str] | None,
) -> list[Export]:
    at, after = position or (None, None)
    values = {"kinds": [str(kind) for kind in kinds], "at": at, "id": after}
    async with deps.engine.connect() as connection:
        found = await connection.execute(_PAGE, values | {"rows": rows})
    return [shown(row) for row in found]


async def file_of(deps: Dependencies, export_id: str) -> AsyncIterator[bytes]:
    """Stream the file part by part, as no file fits in memory. It is cut short if it is
    deleted meanwhile, which its length shows."""
    number = 1
    while True:
        values = {"id": export_id, "number": number}
        async with deps.engine.connect() as connection:
            packed = await connection.scalar(_CHUNK, values)
        if packed is None:
            return
        yield await asyncio.to_thread(zlib.decompress, packed)
        number += 1


async def delete_file(deps: Dependencies, export_id: str) -> None:
    async with deps.engine.begin() as connection:
        await connection.execute(_EXPIRE, {"id": export_id})
        await connection.execute(_DELETE, {"id": export_id})


def shown(row: Row) -> Export:
    return Export(
        created_from=row.begins_at,
        created_to=row.ends_at,
        file=f"/v1/exports/{row.id}/file" if row.status == "done" else None,
        **{name: row[name] for name in Export.model_fields.keys() & set(row.keys())},
    )


_RUNNING = text(
    "SELECT count(*) FROM exports"
    " WHERE status = 'running' AND requested_by = :caller AND expires_at > now()"
)
_END = text("SELECT least(cast(:end AS timestamptz), now())")
_ADD = text(
    """
    INSERT INTO exports (id, kind, format, begins_at, ends_at, requested_by,
      rows_expected, expires_at)
    VALUES (:id, :kind, :format, :begin, :end, :caller, :rows,
      now() + cast(:lives AS interval))
    RETURNING *
    """
)
# An ended export counts as such, whenever its file is deleted.
_SEEN = """
SELECT id, kind, format, begins_at, ends_at, requested_by, rows_expected, rows_written,
  bytes, created_at, finished_at, expires_at,
  CASE WHEN status = 'done' AND expires_at < now() THEN 'expired' ELSE status END
    AS status
FROM exports
"""
_ONE = text(f"{_SEEN} WHERE id = :id")
_PAGE = text(
    f"""
    {_SEEN} WHERE kind = ANY(:kinds) AND (cast(:at AS timestamptz) IS NULL
      OR (created_at, id) < (:at, cast(:id AS text)))
    ORDER BY created_at DESC, id DESC LIMIT :rows
    """
)
_CHUNK = text(
    "SELECT data FROM export_chunks WHERE export_id = :id AND number = :number"
)
_EXPIRE = text(
    """
    UPDATE exports SET status = 'expired', finished_at = coalesce(finished_at, now())
    WHERE id = :id AND status IN ('running', 'done')
    """
)
_DELETE = text("DELETE FROM export_chunks WHERE export_id = :id")
