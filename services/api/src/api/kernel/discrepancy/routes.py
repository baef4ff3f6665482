"""Discrepancies between the books, and the audit of our own."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.errors import NotFound, Refusal
from shared.database.engine import Connection
from shared.database.orders.audit import audit
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.schemas import Page
from api.kernel.discrepancy import schemas as shown
from api.kernel.discrepancy.queries import ONE, SHOWN, show_discrepancy
from api.kernel.paths import DiscrepancyPath

router = APIRouter(prefix="/v1", tags=["operators"])


@router.get(
    "/discrepancies", response_model=Page[shown.Discrepancy], responses=problems()
)
async def list_discrepancies(
    request: Request,
    caller: Annotated[Principal, allowed("money:read")],
    query: Annotated[shown.DiscrepancyQuery, Query()],
    deps: Deps,
) -> Response:
    """List what the auditors found, oldest first."""
    position = query.position(request, moment, text_of) or [None, None]
    parameters = {
        "kind": query.kind,
        "subject": query.subject,
        "open": query.is_open,
        "at": position[0],
        "id": position[1],
        "rows": query.limit + 1,
    }
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_LIST, parameters)
    return page_response(
        request, rows, query.limit, show_discrepancy, lambda row: (row.found_at, row.id)
    )


@router.post(
    "/discrepancies/{discrepancy_id}/resolve",
    response_model=shown.Discrepancy,
    responses=keyed("not-found", "wrong-state"),
)
async def resolve_discrepancy(
    caller: Annotated[Principal, allowed("refunds:any")],
    discrepancy_id: DiscrepancyPath,
    wanted: shown.Resolution,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Close a finding with a reason. The auditors reopen it while its cause remains."""

    async def work(connection: Connection, command: Command) -> StoredResponse:
        values = {"id": discrepancy_id, "actor": caller.subject}
        resolved = await connection.count(_RESOLVE, values)
        if resolved:
            note = {"key": command.key, "id": discrepancy_id, "text": wanted.note}
            await connection.execute(_NOTE, note)
        row = (await connection.execute(ONE, {"id": discrepancy_id})).one_or_none()
        if row is None:
            raise NotFound(f"discrepancy {discrepancy_id}")
        if not resolved:
            raise Refusal("wrong-state", f"{row.resolved_by} has resolved it.")
        return StoredResponse(200, show_discrepancy(row))

    return await idempotent.transaction(caller, wanted, work)


@router.get("/audit", response_model=Page[shown.AuditRow], responses=problems())
async def run_audit(
    caller: Annotated[Principal, allowed("money:read")], deps: Deps
) -> Response:
    """Read the audit views now. Any row is a fault in the books."""
    async with deps.engine.connect() as connection:
        found = await audit(connection)
    rows = [
        shown.AuditRow(view=row.kind, subject=row.subject, detail=dict(row.detail))
        for row in found
    ]
    body = Page[shown.AuditRow](data=rows).model_dump_json()
    return Response(body, media_type="application/json")


_LIST = text(
    SHOWN
    + """
    WHERE (resolved_at IS NULL) = :open
      AND (cast(:kind AS text) IS NULL OR kind = :kind)
      AND (cast(:subject AS text) IS NULL OR subject = :subject)
      AND (cast(:id AS text) IS NULL
           OR (found_at, id) > (cast(:at AS timestamptz), :id))
    ORDER BY found_at, id LIMIT :rows
    """
)
_RESOLVE = text(
    """
    UPDATE discrepancies SET resolved_at = now(), resolved_by = :actor
    WHERE id = :id AND resolved_at IS NULL
    """
)
_NOTE = text("INSERT INTO notes (key, subject, text) VALUES (:key, :id, :text)")
