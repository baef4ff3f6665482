"""The mails about an order: their state, and sending one again."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from shared.contracts.errors import NotFound, Refusal
from shared.database.kernel.unit_of_work import MESSAGES, Done, UnitOfWork, change
from shared.database.orders import tables
from shared.database.rows import Row
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import ListQuery, number, page_response
from api.http.schemas import Nothing, Page
from api.orders.message.schemas import Message
from api.orders.order import queries
from api.orders.paths import OrderPath

router = APIRouter(prefix="/v1/orders/{order_id}/messages", tags=["orders"])

MessagePath = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", response_model=Page[Message], responses=problems("not-found"))
async def list_order_messages(
    request: Request,
    caller: Annotated[Principal, allowed("orders:read")],
    order_id: OrderPath,
    query: Annotated[ListQuery, Query()],
    deps: Deps,
) -> Response:
    """List the mails to the customer, oldest first. Neither address nor text is
    stored."""
    await queries.order(deps, order_id)
    (after,) = query.position(request, number) or [0]
    parameters = {"id": order_id, "after": after, "rows": query.limit + 1}
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_MESSAGES, parameters)
    return page_response(request, rows, query.limit, _show, lambda row: (row["seq"],))


@router.post(
    "/{seq}/resend",
    status_code=202,
    response_model=Message,
    responses=keyed("not-found", "wrong-state"),
)
async def resend_order_message(
    caller: Annotated[Principal, allowed("orders:operate")],
    order_id: OrderPath,
    seq: MessagePath,
    once: Idempotent,
    deps: Deps,
    wanted: Nothing | None = None,
) -> Response:
    """Send the mail again within seconds, to the current address and with current
    facts."""
    await queries.order(deps, order_id)
    await _message(deps, order_id, seq)

    async def work(command: Command) -> StoredResponse:
        await change(
            deps.engine,
            tables.Order,
            order_id,
            key=command.key,
            actor=caller.subject,
            apply=lambda work: _resend(work, seq),
            result=Done,
        )
        # The workers get no event for this message.
        async with deps.engine.connect() as connection:
            wake = {"channel": MESSAGES, "subject": order_id}
            await connection.execute(_WAKE, wake)
        return StoredResponse(202, await _message(deps, order_id, seq))

    return await once.run(caller, None, work)


async def _resend(work: UnitOfWork, seq: int) -> Done:
    found = await work.connection.scalar(_RESEND, {"id": work.subject, "seq": seq})
    if found is None:
        raise Refusal("wrong-state", "The message has not been sent yet.")
    work.event("message.resent", seq=seq)
    return Done()


async def _message(deps: Dependencies, order_id: str, seq: int) -> Message:
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_ONE, {"id": order_id, "seq": seq})
    row = rows.one_or_none()
    if row is None:
        raise NotFound(f"message {seq}")
    return _show(row)


def _show(row: Row) -> Message:
    return Message.model_validate(dict(row))


_COLUMNS = """seq, type, status, created_at, attempts, sent_at, error, resends,
  resent_at, CASE status WHEN 'open' THEN due_at END AS next_at"""
_MESSAGES = text(
    f"""
    SELECT {_COLUMNS} FROM messages
    WHERE subject = :id AND seq > cast(:after AS bigint) ORDER BY seq LIMIT :rows
    """  # noqa: S608 - our own names
)
_ONE = text(
    f"SELECT {_COLUMNS} FROM messages WHERE subject = :id AND seq = :seq"  # noqa: S608
)
_RESEND = text(
    """
    UPDATE messages SET status = 'open', attempts = 0, due_at = now(), error = NULL,
      sent_at = NULL, resends = resends + 1, resent_at = now()
    WHERE subject = :id AND seq = :seq AND status <> 'open' RETURNING seq
    """
)
_WAKE = text("SELECT pg_notify(:channel, :subject)")
