"""Files for spreadsheets and other systems."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from shared.contracts.errors import Refusal
from shared.contracts.orders.exports import ExportFormat, ExportKind, ExportStatus
from shared.contracts.orders.names import export_workflow_id
from shared.contracts.orders.payloads import ExportRef
from shared.contracts.orders.workflows import Export as ExportWorkflow
from shared.database.engine import Connection
from shared.database.ids import new_id

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems, response_headers
from api.http.paging import ListQuery, moment, page_response
from api.http.paging import text as text_of
from api.http.problems import Unavailable
from api.http.schemas import Page
from api.orders.commands import commands
from api.orders.export import queries
from api.orders.export.schemas import Export, NewExport
from api.orders.paths import ExportPath

router = APIRouter(prefix="/v1/exports", tags=["exports"])

_SCOPES = dict.fromkeys(ExportKind, "orders:read") | {
    ExportKind.MOVEMENTS: "stock:read"
}
"""The scopes that may read the rows may also export them."""
Exporter = Annotated[Principal, allowed("orders:read", "stock:read")]
_MEDIA = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.JSONL: "application/jsonl; charset=utf-8",
}


@router.post(
    "",
    status_code=202,
    response_model=Export,
    responses={
        202: response_headers("Location"),
        **keyed("export-too-large", "too-many-exports"),
    },
)
async def create_export(
    caller: Exporter,
    wanted: NewExport,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Start an export, which may take minutes: read it for its progress. It has all
    rows that existed when it was requested, each as it is when it is written."""
    caller.require(_SCOPES[wanted.kind])

    async def work(connection: Connection, _: Command) -> StoredResponse:
        added = await queries.add_export(
            *(connection, new_id("exp"), wanted, caller.subject),
            deps.settings.export_rows,
        )
        return StoredResponse(202, added, {"Location": f"/v1/exports/{added.id}"})

    answer = await idempotent.transaction(caller, wanted, work)
    if location := answer.headers.get("location"):
        await _begin(deps, location.rpartition("/")[2])
    return answer


async def _begin(deps: Dependencies, export_id: str) -> None:
    """Start the workflow; if Temporal is down, the sweep starts it."""
    with suppress(Unavailable):
        await commands(deps).begin(
            ExportWorkflow.run,
            ExportRef(export_id=export_id),
            export_workflow_id(export_id),
        )


@router.get("", response_model=Page[Export], responses=problems())
async def list_exports(
    request: Request, caller: Exporter, query: Annotated[ListQuery, Query()], deps: Deps
) -> Response:
    """List exports, newest first: those of rows that the caller may read."""
    kinds = [kind for kind, scope in _SCOPES.items() if caller.may(scope)]
    position = query.position(request, moment, text_of)
    after = (position[0], position[1]) if position else None
    found = await queries.page_of_exports(deps, kinds, query.limit + 1, after)
    return page_response(
        request, found, query.limit, lambda e: e, lambda e: (e.created_at, e.id)
    )


@router.get("/{export_id}", response_model=Export, responses=problems("not-found"))
async def get_export(caller: Exporter, export_id: ExportPath, deps: Deps) -> Response:
    """Show the progress of an export."""
    export = await _visible(deps, caller, export_id)
    return StoredResponse(200, export).response()


@router.get(
    "/{export_id}/file",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {}, "application/jsonl": {}}},
        **problems("not-found", "export-not-ready", "export-expired"),
    },
)
async def get_export_file(
    caller: Exporter, export_id: ExportPath, deps: Deps
) -> Response:
    """Download the file until the export expires."""
    export = await _visible(deps, caller, export_id)
    if export.status is ExportStatus.RUNNING:
        raise Refusal(
            "export-not-ready", f"{export.rows_written} rows are written so far."
        )
    if export.status is not ExportStatus.DONE:
        raise Refusal("export-expired", "Have it exported once more.")
    name = f"{export.kind}-{export.created_to:%Y-%m-%d}.{export.format}"
    return StreamingResponse(
        queries.file_of(deps, export_id),
        media_type=_MEDIA[export.format],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(export.bytes),
            "Cache-Control": "no-store",
        },
    )


@router.delete("/{export_id}", status_code=204, responses=problems("not-found"))
async def delete_export(
    caller: Exporter, export_id: ExportPath, deps: Deps
) -> Response:
    """Stop an export and delete its file."""
    await _visible(deps, caller, export_id)
    await queries.delete_file(deps, export_id)
    await commands(deps).signal(export_workflow_id(export_id), ExportWorkflow.forget)
    return Response(status_code=204)


async def _visible(deps: Dependencies, caller: Principal, export_id: str) -> Export:
    export = await queries.read_export(deps, export_id)
    caller.require(_SCOPES[export.kind])
    return export
