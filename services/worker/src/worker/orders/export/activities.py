"""Writes a file a few thousand rows at a time, so that size and kills do not matter:
each part is committed together with how far the file is."""

import asyncio
import json
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.contracts.orders.activities import ExportSteps
from shared.contracts.orders.exports import ExportFormat, ExportKind
from shared.contracts.orders.payloads import Exported, ExportRef, Swept
from shared.database.engine import Connection, Engine
from shared.database.orders.exports import names, reading
from shared.database.rows import Row
from sqlalchemy import text
from temporalio import activity

from worker.orders.export.files import text_of

CHUNK_ROWS = 5_000
"""About a megabyte: what is in memory of a file at a time, here and in the API."""
LOOK_AGAIN_SECONDS = 0.2


class ExportActivities(ExportSteps):
    def __init__(self, engine: Engine, chunk_rows: int = CHUNK_ROWS) -> None:
        self._engine = engine
        self._chunk_rows = chunk_rows

    async def write_export(self, ref: ExportRef) -> Exported:
        await self._until_older_transactions_end(ref)
        while (rows := await self._write_chunk(ref)) is None:
            activity.heartbeat()
        return Exported(rows=rows)

    async def _until_older_transactions_end(self, ref: ExportRef) -> None:
        async with self._engine.connect() as connection:
            while await connection.scalar(_OLDER_ONES_RUN, {"id": ref.export_id}):
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                activity.heartbeat()

    async def _write_chunk(self, ref: ExportRef) -> int | None:
        """Write the next rows, and return how many the file then has."""
        async with self._engine.begin() as connection:
            export = (await connection.execute(_LOCK, {"id": ref.export_id})).first()
            if export is None or export.status != "running":
                return 0 if export is None else int(export.rows_written)
            rows = await self._read(connection, export)
            # In a thread: it would hold up the event loop.
            size, data = await asyncio.to_thread(_packed, export, rows)
            ended = len(rows) < self._chunk_rows
            written = {
                "id": ref.export_id,
                "data": data,
                "rows": len(rows),
                "bytes": size,
                "position": _position(ExportKind(export.kind), rows[-1])
                if rows
                else None,
                "status": "done" if ended else "running",
            }
            await connection.execute(_KEEP, written)
            return int(export.rows_written) + len(rows) if ended else None

    async def _read(self, connection: Connection, export: Row) -> Sequence[Row]:
        values: dict[str, Any] = {
            "begin": export.begins_at,
            "end": export.ends_at,
            "rows": self._chunk_rows,
        }
        if export.position is not None:
            at, *keys = export.position
            values["at"] = datetime.fromisoformat(at)
            values |= {f"key_{n}": key for n, key in enumerate(keys)}
        statement = reading(
            ExportKind(export.kind), goes_on=export.position is not None
        )
        return await connection.execute(statement, values)

    async def forget_export(self, ref: ExportRef) -> Swept:
        async with self._engine.begin() as connection:
            await connection.execute(_END, {"id": ref.export_id})
            gone = await connection.count(_DELETE, {"id": ref.export_id})
        return Swept(found=gone)


def _packed(export: Row, rows: Sequence[Row]) -> tuple[int, bytes]:
    """A chunk's size, and the chunk."""
    columns = names(ExportKind(export.kind))
    written = text_of(
        ExportFormat(export.format),
        columns,
        (tuple(row)[: len(columns)] for row in rows),
        first=export.chunks == 0,
    ).encode()
    return len(written), zlib.compress(written)


def _position(kind: ExportKind, row: Row) -> str:
    at, *keys = tuple(row)[len(names(kind)) :]
    return json.dumps([at.isoformat(), *keys])


_LOCK = text("SELECT * FROM exports WHERE id = :id FOR UPDATE")
_OLDER_ONES_RUN = text(
    """
    SELECT transaction_id > (pg_snapshot_xmin(pg_current_snapshot())::text)::bigint
    FROM exports WHERE id = :id
    """
)
_KEEP = text(
    """
    WITH export AS (
      UPDATE exports SET chunks = chunks + 1, rows_written = rows_written + :rows,
        bytes = bytes + :bytes, position = coalesce(cast(:position AS jsonb), position),
        status = cast(:status AS text),
        finished_at = CASE WHEN cast(:status AS text) = 'done' THEN now() END
      WHERE id = :id RETURNING id, chunks
    )
    INSERT INTO export_chunks (export_id, number, data)
    SELECT id, chunks, :data FROM export
    """
)
_END = text(
    """
    UPDATE exports
    SET status = CASE status WHEN 'running' THEN 'failed' ELSE 'expired' END,
      finished_at = coalesce(finished_at, now())
    WHERE id = :id AND status IN ('running', 'done')
    """
)
_DELETE = text("DELETE FROM export_chunks WHERE export_id = :id")
