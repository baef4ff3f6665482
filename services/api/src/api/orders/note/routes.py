"""Notes about an order, from staff to staff."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from shared.database.orders import tables
from shared.database.rows import Row
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import ListQuery, moment, page_response
from api.http.paging import text as text_of
from api.http.schemas import Page
from api.kernel.personal_data import log_read
from api.orders.note import schemas as shown
from api.orders.notes import keep_note
from api.orders.order import queries
from api.orders.paths import OrderPath

router = APIRouter(prefix="/v1/orders/{order_id}/notes", tags=["orders"])


@router.get("", response_model=Page[shown.Note], responses=problems("not-found"))
async def list_notes(
    request: Request,
    caller: Annotated[Principal, allowed("contacts:read", "fulfil")],
    order_id: OrderPath,
    query: Annotated[ListQuery, Query()],
    deps: Deps,
) -> Response:
    """List notes, oldest first, including those on holds, returns, refunds and
    cancellations. Notes may contain personal data, so each read is logged."""
    await queries.order(deps, order_id)
    position = query.position(request, moment, text_of) or [None, None]
    parameters = {
        "id": order_id,
        "at": position[0],
        "key": position[1],
        "rows": query.limit + 1,
    }
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_NOTES, parameters)
    log_read(caller, "notes", order_id)
    return page_response(
        request, rows, query.limit, _show, lambda row: (row.at, row.key)
    )


@router.post(
    "", status_code=201, response_model=shown.Kept, responses=keyed("not-found")
)
async def add_note(
    caller: Annotated[Principal, allowed("orders:operate", "fulfil")],
    order_id: OrderPath,
    wanted: shown.NewNote,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Add a note for the next person who works on the order."""
    await queries.order(deps, order_id)

    async def work(command: Command) -> StoredResponse:
        await keep_note(
            *(deps.engine, command.key, order_id, wanted.text),
            actor=caller.subject,
            about=order_id,
        )
        await change(
            deps.engine,
            tables.Order,
            order_id,
            key=command.key,
            actor=caller.subject,
            apply=_announce,
            result=Done,
        )
        kept = shown.Kept(order_id=order_id, actor=caller.subject)
        return StoredResponse(201, kept)

    return await idempotent.run(caller, wanted, work)


async def _announce(work: UnitOfWork) -> Done:
    work.event("note.added")
    return Done()


def _show(row: Row) -> shown.Note:
    return shown.Note.model_validate(dict(row))


_NOTES = text(
    """
    SELECT key, text, at, actor, about FROM notes
    WHERE subject = :id AND (cast(:key AS text) IS NULL
      OR (at, key) > (cast(:at AS timestamptz), :key))
    ORDER BY at, key LIMIT :rows
    """
)
