"""Goods that come back."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.orders import payloads, workflows
from shared.contracts.orders.states import Disposition
from shared.database.ids import new_id

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import (
    keyed,
    problems,
    problems_of_bodies,
    response_headers,
)
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.schemas import Page
from api.orders.commands import commands
from api.orders.notes import keep_note
from api.orders.order import queries
from api.orders.paths import OrderPath, ReturnPath
from api.orders.return_ import schemas as shown
from api.orders.return_.deductions import deductions
from api.orders.return_.presenter import show_return as show
from api.orders.return_.preview import preview
from api.orders.return_.queries import READERS, Return, page_of_returns, read_return
from api.orders.shipment.labels import fetch_label

router = APIRouter(prefix="/v1", tags=["returns"])

DEDUCTION_PROBLEMS = (
    "deduction-exceeds-value",
    "deduction-in-other-currency",
    "deduction-without-goods",
)


@router.post(
    "/orders/{order_id}/returns",
    status_code=201,
    response_model=shown.Return,
    responses={
        201: response_headers("Location"),
        **keyed("not-found", "window-closed", "not-returnable", "quantity-exceeded"),
    },
)
async def return_order(
    caller: Annotated[
        Principal, allowed("orders:own", "orders:operate", "link:return")
    ],
    order_id: OrderPath,
    wanted: shown.NewReturn,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Ask to send goods back. Most returns are `approved` at once; a clerk decides
    about one that stays `requested`."""
    await queries.require_sight(deps, caller, order_id, "orders:operate")

    async def work(command: Command) -> StoredResponse:
        return_id = command.memo["return_id"]
        await keep_note(
            *(deps.engine, command.key, order_id, wanted.note),
            actor=caller.subject,
            about=return_id,
        )
        await commands(deps).return_(
            return_id,
            workflows.Return.request,
            payloads.RequestReturn(
                order_id=order_id,
                key=command.key,
                actor=caller.subject,
                return_id=return_id,
                lines=tuple(
                    payloads.ReturnedLine(**item.model_dump()) for item in wanted.lines
                ),
            ),
        )
        requested = await read_return(deps, caller, return_id)
        location = {"Location": f"/v1/returns/{return_id}"}
        return StoredResponse(201, show(requested), location)

    return await idempotent.run(caller, wanted, work, memo={"return_id": new_id("ret")})


@router.get("/returns", response_model=Page[shown.Return], responses=problems())
async def list_returns(
    request: Request,
    caller: Annotated[Principal, allowed("orders:own", *READERS)],
    query: Annotated[shown.ReturnQuery, Query()],
    deps: Deps,
) -> Response:
    """List returns, newest first. Customers see their own."""
    position = query.position(request, moment, text_of)
    after = (position[0], position[1]) if position else None
    customer = None if caller.may(*READERS) else caller.subject
    returns = await page_of_returns(deps, query, customer, after)
    return page_response(
        request, returns, query.limit, show, lambda r: (r.created_at, r.id)
    )


@router.get(
    "/returns/{return_id}", response_model=shown.Return, responses=problems("not-found")
)
async def get_return(
    caller: Annotated[Principal, allowed("orders:own", *READERS, "link:read")],
    return_id: ReturnPath,
    deps: Deps,
) -> Response:
    """Show a return as it is now. Customers see their own."""
    return StoredResponse(
        200, show(await read_return(deps, caller, return_id))
    ).response()


@router.get(
    "/returns/{return_id}/label",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}}, "description": "The label."},
        **problems("not-found", "no-label"),
    },
)
async def get_return_label(
    caller: Annotated[Principal, allowed("orders:own", *READERS, "link:return")],
    return_id: ReturnPath,
    deps: Deps,
) -> Response:
    """Fetch the label for the way back. `no-label`: the customer picks a carrier."""
    found = await read_return(deps, caller, return_id)
    label = await fetch_label(deps.http, deps.settings, found)
    return Response(label, media_type="application/pdf")


@router.post(
    "/returns/{return_id}/approve",
    response_model=shown.Return,
    responses=keyed("not-found", "wrong-state", "four-eyes"),
)
async def approve_return(
    caller: Annotated[Principal, allowed("orders:operate")],
    return_id: ReturnPath,
    wanted: shown.ReturnDecision,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Approve a return. Whoever asked for it cannot approve it."""
    return await _decide(caller, return_id, wanted, idempotent, deps, approved=True)


@router.post(
    "/returns/{return_id}/reject",
    response_model=shown.Return,
    responses=keyed("not-found", "wrong-state", "four-eyes"),
)
async def reject_return(
    caller: Annotated[Principal, allowed("orders:operate")],
    return_id: ReturnPath,
    wanted: shown.ReturnDecision,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Reject a return: the customer keeps the goods."""
    return await _decide(caller, return_id, wanted, idempotent, deps, approved=False)


async def _decide(
    caller: Principal,
    return_id: str,
    wanted: shown.ReturnDecision,
    idempotent: Idempotent,
    deps: Dependencies,
    *,
    approved: bool,
) -> Response:
    asked = await read_return(deps, caller, return_id)

    async def work(command: Command) -> StoredResponse:
        await keep_note(
            *(deps.engine, command.key, asked.order_id, wanted.note),
            actor=caller.subject,
            about=return_id,
        )
        await commands(deps).return_(
            return_id,
            workflows.Return.decide,
            payloads.DecideReturn(
                order_id=asked.order_id,
                key=command.key,
                actor=caller.subject,
                return_id=return_id,
                approved=approved,
            ),
        )
        return StoredResponse(200, show(await read_return(deps, caller, return_id)))

    return await idempotent.run(caller, wanted, work)


@router.post(
    "/returns/{return_id}/receive",
    response_model=shown.Return,
    responses=keyed(
        *("not-found", "wrong-state", "quantity-exceeded"),
        *("unknown-location", "inactive-location", *DEDUCTION_PROBLEMS),
    ),
)
async def receive_return(
    caller: Annotated[Principal, allowed("fulfil")],
    return_id: ReturnPath,
    wanted: shown.ReturnReceipt,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Record goods that arrived, in time or late. Accepted units are refunded, less
    what is kept of them because they came back worn (`deduction`)."""
    expected = await read_return(deps, caller, return_id)
    kept = deductions(wanted, expected.currency)

    async def work(command: Command) -> StoredResponse:
        await commands(deps).return_(
            return_id,
            workflows.Return.receive,
            payloads.ReceiveReturn(
                order_id=expected.order_id,
                key=command.key,
                actor=caller.subject,
                return_id=return_id,
                location=wanted.location,
                lines=tuple(
                    payloads.ReceivedLine(
                        line=item.line,
                        accepted=item.accepted,
                        disposition=item.disposition,
                        deduction=kept.get(item.line, 0),
                    )
                    for item in wanted.lines
                ),
            ),
        )
        deps.in_background(commands(deps).allocate(*_restocked(expected, wanted)))
        return StoredResponse(200, show(await read_return(deps, caller, return_id)))

    return await idempotent.run(caller, wanted, work)


@router.post(
    "/returns/{return_id}/refund-preview",
    response_model=shown.RefundPreview,
    responses=problems_of_bodies(
        *("not-found", "wrong-state", "quantity-exceeded", *DEDUCTION_PROBLEMS)
    ),
)
async def preview_return_refund(
    caller: Annotated[Principal, allowed(*READERS)],
    return_id: ReturnPath,
    wanted: shown.ReturnReceipt,
    deps: Deps,
) -> Response:
    """Preview the refund for received goods, to the cent. Nothing is changed."""
    expected = await read_return(deps, caller, return_id)
    order = await queries.order(deps, expected.order_id)
    return StoredResponse(200, preview(order, expected, wanted)).response()


def _restocked(expected: Return, receipt: shown.ReturnReceipt) -> list[str]:
    """SKUs that came back as stock, for which orders may wait."""
    lines = {
        item.line
        for item in receipt.lines
        if item.accepted and item.disposition is Disposition.RESTOCK
    }
    return sorted({line.sku for line in expected.lines if line.line in lines})
