"""Exports: many rows as a file, made while one goes on working."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import StreamingResponse

from console.api import Api, Json, problem_of
from console.pages.forms import Key, act
from console.person import SignedIn
from console.templating import page

router = APIRouter(prefix="/exports")

KINDS = ("orders", "lines", "refunds", "movements")
SHOWN = 20


@router.get("")
async def exports(request: Request, person: SignedIn) -> Response:
    rows = await person.api.rows("/v1/exports", limit=SHOWN)
    return page(request, "exports.html", rows=rows, kinds=KINDS)


@router.post("")
async def begin(
    request: Request,
    person: SignedIn,
    key: Key,
    kind: Annotated[str, Form()],
    format: Annotated[str, Form()] = "csv",
    created_from: Annotated[str, Form()] = "",
    created_to: Annotated[str, Form()] = "",
) -> Response:
    body: Json = {"kind": kind, "format": format}
    for name, day in (("created_from", created_from), ("created_to", created_to)):
        if day:
            body[name] = f"{day}T00:00:00Z"
    work = person.api.post("/v1/exports", body, key)
    return await act(request, "/exports", work, "Begun. It goes on while you work.")


@router.get("/{export_id}/file")
async def file(export_id: str, person: SignedIn) -> Response:
    """Handed through piece by piece: a file may be larger than our memory."""
    known = await person.api.get(f"/v1/exports/{export_id}")
    name = f"{known['kind']}-{export_id}.{known['format']}"
    return StreamingResponse(
        _pieces(person.api, f"/v1/exports/{export_id}/file"),
        media_type="text/csv" if known["format"] == "csv" else "application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _pieces(api: Api, path: str) -> AsyncIterator[bytes]:
    async with api.stream(path, accept="*/*") as upstream:
        if upstream.is_error:
            await upstream.aread()
            raise problem_of(upstream)
        async for piece in upstream.aiter_bytes():
            yield piece
