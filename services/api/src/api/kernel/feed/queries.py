"""Pages of the feed, in an order that no late commit can change.

Ids of one sequence become visible out of order: a transaction may take a low id and
commit after a higher one was read. So the feed is ordered by the transaction that wrote
an event, then by id, and ends before the oldest transaction that is still running
(`pg_snapshot_xmin`): whatever commits later stands after every position handed out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.database.engine import Engine
from sqlalchemy import text

MOST_SCANNED = 1_000
"""Events that one page scans for its types: bounds the cost of a rare type. A page may
then be short or empty and still have a `next_cursor`."""
_WRITTEN = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, order=True)
class Position:
    """An event's place in the feed: its transaction, and its id. Written `742-1093`."""

    transaction_id: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.transaction_id}-{self.id}"

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "Position":
        return cls(event["transaction_id"], event["id"])

    @classmethod
    def parse(cls, written: str) -> "Position":
        """Raises `ValueError` for what is no position."""
        found = _WRITTEN.fullmatch(written)
        if found is None or max(map(int, found.groups())) > _LARGEST:
            raise ValueError("not a position of this feed")
        return cls(*map(int, found.groups()))


@dataclass(frozen=True)
class FeedPage:
    after: Position
    events: Sequence[dict[str, Any]]
    """Each with its `transaction_id` and `id`."""
    end: Position
    """Everything up to here was scanned."""
    more: bool
    """Another page can be read at once."""
    newest: Position
    """The end of the feed: no position above it was ever handed out."""
    unsettled: bool
    """Events are committed beyond `newest`, behind a transaction still running."""


async def read_page(
    engine: Engine, after: Position, types: Sequence[str], limit: int
) -> FeedPage:
    """At most `limit` events after a position, of these types (`order.*` means all that
    begin so; none means all)."""
    async with engine.connect() as connection:
        row = (
            await connection.execute(
                _PAGE,
                {
                    "transaction_id": after.transaction_id,
                    "id": after.id,
                    "types": [like(type) for type in types],
                    "limit": limit,
                    "scanned": MOST_SCANNED if types else limit,
                },
            )
        ).one()
    events = json.loads(row.events)
    scanned = Position(row.last_transaction_id, row.last_id) if row.scanned else after
    end = Position.of(events[-1]) if len(events) == limit else scanned
    return FeedPage(
        after=after,
        events=events,
        end=end,
        more=end < scanned or row.scanned == (MOST_SCANNED if types else limit),
        newest=Position(row.newest_transaction_id, row.newest_id),
        unsettled=row.unsettled,
    )


def like(type: str) -> str:
    """The LIKE pattern for `order.placed`, `order.*` or `*`."""
    escaped = type.replace("\\", r"\\").replace("_", r"\_").replace("%", r"\%")
    return escaped.removesuffix("*") + "%" if escaped.endswith("*") else escaped


def fits(type: str, wanted: Sequence[str]) -> bool:
    """Whether a type fits one of these; the same rule without the database."""
    return any(
        type.startswith(one[:-1]) if one.endswith("*") else type == one
        for one in wanted
    )


_PAGE = text(
    """
    WITH settled AS MATERIALIZED (
      SELECT cast(cast(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
        AS below
    ), scan AS MATERIALIZED (
      SELECT transaction_id, id, subject, seq, type, at, data FROM events
      WHERE (transaction_id, id) > (:transaction_id, :id)
        AND transaction_id < (SELECT below FROM settled)
      ORDER BY transaction_id, id LIMIT :scanned
    ), page AS (
      SELECT * FROM scan
      WHERE cardinality(cast(:types AS text[])) = 0
         OR type LIKE ANY(cast(:types AS text[]))
      ORDER BY transaction_id, id LIMIT :limit
    ), newest AS (
      SELECT transaction_id, id FROM events
      WHERE transaction_id < (SELECT below FROM settled)
      ORDER BY transaction_id DESC, id DESC LIMIT 1
    ), last AS (
      SELECT transaction_id, id FROM scan ORDER BY transaction_id DESC, id DESC LIMIT 1
    )
    SELECT
      coalesce((SELECT json_agg(p ORDER BY p.transaction_id, p.id) FROM page p),
               '[]'::json)::text AS events,
      (SELECT count(*) FROM scan) AS scanned,
      (SELECT transaction_id FROM last) AS last_transaction_id,
      (SELECT id FROM last) AS last_id,
      coalesce((SELECT transaction_id FROM newest), 0) AS newest_transaction_id,
      coalesce((SELECT id FROM newest), 0) AS newest_id,
      -- The last of all, by its index; EXISTS would look through the whole table.
      coalesce((SELECT transaction_id FROM events
                ORDER BY transaction_id DESC, id DESC LIMIT 1)
               >= (SELECT below FROM settled), false) AS unsettled
    """
)
