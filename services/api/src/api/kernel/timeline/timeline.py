"""A subject's events: as a list, or live (server-sent events)."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel, ConfigDict, Field
from shared.database.kernel.unit_of_work import CHANNEL
from sqlalchemy import TextClause, text

from api.http.auth import Principal
from api.http.dependencies import Dependencies
from api.http.paging import page_of
from api.http.problems import RETRY_AFTER_SECONDS, Problem
from api.kernel.timeline.schemas import Event

POLL_SECONDS = 5.0
OPEN_AFTER_END = timedelta(seconds=60)
"""How long to wait for events after a subject's end: refunds and deliveries follow
it."""
RECONNECT_MS = 2000
MOST_STREAMS = 20
"""Streams of one customer in one process, as each queries the database now and then. A
shop's own server, which serves many customers, may hold any number."""
_BATCH = 200
Seq = Annotated[int, Field(ge=0, le=2**31 - 1)]


class EventQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Seq = 0
    cursor: Seq | None = None
    """The same as `after`, by the name that every list has for it."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


def _while_answering() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


WhileAnswering = Annotated[ExitStack, Depends(_while_answering)]


@dataclass(frozen=True)
class Readers:
    """Who may read a process's timelines, and when its subjects have ended."""

    staff: str
    """The scope that sees every detail, and may follow any number of streams."""
    ended: str
    """SQL: the moment when subject `:id` ended, or NULL."""


async def answer_timeline(
    timeline: "Timeline",
    request: Request,
    query: EventQuery,
    while_answering: ExitStack,
    last_event_id: int | None,
) -> Response:
    """A page of events, or a stream of them if the caller accepts one."""
    after = query.after if query.cursor is None else query.cursor
    if "text/event-stream" in request.headers.get("accept", "*/*"):
        if last_event_id is not None:
            after = last_event_id
            if await timeline.is_over(after):
                # With a 204, a browser does not reconnect for ever.
                return Response(status_code=204)
        while_answering.enter_context(timeline.counted())
        # Proxies must not buffer a live stream.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return EventSourceResponse(timeline.stream(after), headers=headers)
    events, _ = await timeline.after(after, query.limit + 1)
    shown = events[: query.limit]
    following = str(shown[-1].seq) if len(events) > query.limit else None
    return page_of(request, shown, following)


class Timeline:
    """The timeline of one subject for one caller."""

    def __init__(
        self, deps: Dependencies, caller: Principal, subject: str, readers: Readers
    ) -> None:
        self._deps = deps
        self._caller = caller
        self._subject = subject
        self._staff = readers.staff
        self._statement = _events(readers.ended)

    async def after(self, seq: int, limit: int) -> tuple[list[Event], datetime | None]:
        """Events after `seq`, and when the subject ended if it has."""
        async with self._deps.engine.connect() as connection:
            row = (
                await connection.execute(
                    self._statement,
                    {"id": self._subject, "after": seq, "limit": limit},
                )
            ).one()
        events = [self._show(Event.model_validate(e)) for e in json.loads(row.events)]
        return events, row.ended

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a stream. Raises `Problem` for a customer who has too many: counted at
        once, so that bursts cannot exceed the limit."""
        streams, subject = self._deps.streams, self._caller.subject
        if streams[subject] >= MOST_STREAMS and not self._caller.may(self._staff):
            raise Problem(
                "too-many-requests",
                f"At most {MOST_STREAMS} streams at a time.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        streams[subject] += 1
        try:
            yield
        finally:
            streams[subject] -= 1
            if not streams[subject]:
                del streams[subject]

    async def is_over(self, seq: int) -> bool:
        """Whether nothing came after `seq`, and nothing will."""
        events, ended = await self.after(seq, 1)
        return not events and _is_long_ago(ended)

    async def stream(self, seq: int) -> AsyncIterator[bytes]:
        """Each event once it is committed, until a minute after the end, or until the
        caller's token expires."""
        yield format_sse_event(retry=RECONNECT_MS)
        with self._deps.listener.subscribe(CHANNEL, self._subject) as wake:
            while self._caller.seconds_left and not self._deps.draining:
                events, ended = await self.after(seq, _BATCH)
                for event in events:
                    yield _line(event)
                    seq = event.seq
                if events:
                    continue
                if _is_long_ago(ended):
                    break
                if not await wake.wait(min(POLL_SECONDS, self._caller.seconds_left)):
                    yield KEEPALIVE_COMMENT

    def _show(self, event: Event) -> Event:
        if self._caller.may(self._staff):
            return event
        # Customers see neither names of staff nor reasons of holds.
        mine = event.actor == self._caller.subject
        data = event.data
        if event.type.startswith("hold."):
            data = {name: data[name] for name in ("hold_id", "reason") if name in data}
        hidden = {name: v for name, v in data.items() if name not in _INTERNAL}
        return event.model_copy(
            update={"actor": event.actor if mine else "shop", "data": hidden}
        )


def _is_long_ago(ended: datetime | None) -> bool:
    return ended is not None and datetime.now(UTC) - ended > OPEN_AFTER_END


_INTERNAL = ("provider_ref", "failure", "ledger_id")


@cache
def _events(ended: str) -> TextClause:
    return text(
        f"""
        SELECT ({ended}) AS ended, coalesce((
          SELECT json_agg(e ORDER BY e.seq) FROM (
            SELECT seq, type, at, actor, data FROM events
            WHERE subject = :id AND seq > :after ORDER BY seq LIMIT :limit) e
          ), '[]'::json)::text AS events
        """  # noqa: S608 - a process's own words
    )


def _line(event: Event) -> bytes:
    # Unnamed, so that a browser's `onmessage` receives every type.
    return format_sse_event(data_str=event.model_dump_json(), id=str(event.seq))
