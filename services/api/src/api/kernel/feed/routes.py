"""Every event of every subject, once and in order: as pages, or as they happen."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from shared.database.kernel.unit_of_work import CHANNEL

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.openapi import problems
from api.http.paging import page_of
from api.http.problems import Problem, invalid
from api.http.schemas import Page
from api.kernel.feed.presenter import show_event
from api.kernel.feed.queries import FeedPage, Position, read_page
from api.kernel.feed.schemas import LATEST, FeedEvent, FeedQuery

router = APIRouter(prefix="/v1/events", tags=["events"])

RECONNECT_MS = 2000
POLL_SECONDS = 5.0
SETTLE_SECONDS = 0.05
"""How soon a stream looks again while events wait for an older transaction."""
_BATCH = 200


@router.get(
    "",
    response_model=Page[FeedEvent],
    responses={
        200: {
            "description": "The events, or a stream of them with `Accept:"
            " text/event-stream`",
            "content": {"text/event-stream": {}},
        },
        **problems("cursor-ahead"),
    },
)
async def list_events(
    request: Request,
    caller: Annotated[Principal, allowed("events:read")],
    query: Annotated[FeedQuery, Query()],
    deps: Deps,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
    last_event_id: Annotated[str | None, Header(max_length=50)] = None,
) -> Response:
    """List the events of all subjects after a position, oldest first. An event that
    commits late is neither skipped nor reordered. Store `next_cursor` (or the last
    `id`) and continue from there: a page can be empty and still have a `next_cursor`,
    after many events of other types. A stream resumes after `Last-Event-ID` and closes
    when the token expires."""
    feed = Feed(deps, query.types)
    if "text/event-stream" in accept:
        page = await feed.page(last_event_id or query.cursor or query.after, _BATCH)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return EventSourceResponse(feed.stream(page, caller), headers=headers)
    page = await feed.page(query.cursor or query.after, query.limit)
    return page_of(
        request,
        [show_event(event, deps.hrefs) for event in page.events],
        str(page.end) if page.more else None,
    )


class Feed:
    """The feed for one caller and some types of events."""

    def __init__(self, deps: Dependencies, types: Sequence[str]) -> None:
        self._deps = deps
        self._types = () if "*" in types else tuple(types)

    async def position(self, after: str, pointer: str) -> Position:
        """The position that is meant, also by `latest`. Raises a `Problem` that points
        there."""
        return (await self.page(after, 1, pointer)).after

    async def page(
        self, after: str, limit: int, pointer: str = "query:after"
    ) -> FeedPage:
        """A page. Raises a `Problem` for a malformed position, or one in the future."""
        if after == LATEST:
            after = str((await self._read(Position(), 1)).newest)
        try:
            position = Position.parse(after)
        except ValueError as error:
            raise invalid(pointer, "cursor", "Not from this feed") from error
        page = await self._read(position, limit)
        if position > page.newest:
            raise Problem(
                "cursor-ahead",
                "This feed has not come so far. After a restored backup, read it again"
                f" from {page.newest}.",
            )
        return page

    async def _read(self, after: Position, limit: int) -> FeedPage:
        return await read_page(self._deps.engine, after, self._types, limit)

    async def stream(self, page: FeedPage, caller: Principal) -> AsyncIterator[bytes]:
        """Each event as soon as nothing can come before it, from `page` on. The first
        frame has no data: it names the position that a stream from `latest` begins at,
        so that who loses it before an event has come misses none."""
        yield format_sse_event(retry=RECONNECT_MS, id=str(page.after))
        with self._deps.listener.subscribe(CHANNEL) as wake:
            while True:
                for event in (show_event(e, self._deps.hrefs) for e in page.events):
                    yield format_sse_event(
                        data_str=event.model_dump_json(), id=event.id
                    )
                if not caller.seconds_left or self._deps.draining:
                    return
                if page.unsettled:
                    await asyncio.sleep(SETTLE_SECONDS)
                elif not page.more and not await wake.wait(
                    min(POLL_SECONDS, caller.seconds_left)
                ):
                    yield KEEPALIVE_COMMENT
                page = await self._read(page.end, _BATCH)
