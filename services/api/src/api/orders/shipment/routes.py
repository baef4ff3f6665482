"""Parcels: list, move, ship, relabel, cancel."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.orders import payloads, workflows

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.problems import invalid
from api.http.schemas import Nothing, Page
from api.kernel.personal_data import log_read
from api.orders.commands import commands
from api.orders.notes import keep_note
from api.orders.paths import ShipmentPath
from api.orders.shipment import schemas as shown
from api.orders.shipment.labels import fetch_label
from api.orders.shipment.presenter import show_shipment
from api.orders.shipment.progress import answer, measures, packed
from api.orders.shipment.queries import (
    page_of_shipments,
    read_recipient,
    read_shipment,
    reading,
    shipment_of,
    shipment_when,
)

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])


@router.get("", response_model=Page[shown.Shipment], responses=problems())
async def list_shipments(
    request: Request,
    caller: Annotated[Principal, allowed("fulfil", "orders:read")],
    query: Annotated[shown.ShipmentQuery, Query()],
    deps: Deps,
) -> Response:
    """List parcels, oldest first: the one that waits longest is packed next."""
    position = query.position(request, moment, text_of)
    after = (position[0], position[1]) if position else None
    shipments = await page_of_shipments(deps, query, after)
    return page_response(
        request, shipments, query.limit, show_shipment, lambda s: (s.created_at, s.id)
    )


@router.get(
    "/{shipment_id}",
    response_model=shown.ShipmentToPack,
    responses=problems("not-found"),
)
async def get_shipment(
    caller: Annotated[Principal, allowed("fulfil", "orders:read")],
    shipment_id: ShipmentPath,
    deps: Deps,
) -> Response:
    """Show a parcel as it is now. Packers also see its recipient; that read is
    logged."""
    shipment = await read_shipment(deps, shipment_id)
    recipient = None
    if caller.may("fulfil", "contacts:read"):
        recipient = await read_recipient(deps, shipment)
        log_read(caller, "recipient", shipment.order_id)
    shown_to = shown.ShipmentToPack(
        **dict(show_shipment(shipment)), recipient=recipient
    )
    return StoredResponse(200, shown_to).response()


@router.post(
    "/{shipment_id}/move",
    response_model=shown.Shipment,
    responses=keyed(
        *("not-found", "wrong-state", "quantity-exceeded"),
        *("unknown-location", "inactive-location"),
    ),
)
async def move_shipment(
    caller: Annotated[Principal, allowed("fulfil")],
    shipment_id: ShipmentPath,
    wanted: shown.Move,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Move a parcel that has not been picked to another location: all its units are
    reserved there instead."""

    async def work(command: Command) -> StoredResponse:
        shipment = shipment_of(command)
        await keep_note(
            *(deps.engine, command.key, shipment.order_id, wanted.note),
            actor=caller.subject,
            about=shipment_id,
        )
        await commands(deps).parcel(
            shipment_id,
            workflows.Order.move,
            payloads.Move(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
                location=wanted.location,
            ),
        )
        return await answer(deps, shipment_id)

    return await idempotent.run(caller, wanted, work, about=reading(shipment_id))


@router.post(
    "/{shipment_id}/ship",
    response_model=shown.Shipment,
    responses=keyed("not-found", "wrong-state", "duplicate-reference"),
)
async def ship_shipment(
    caller: Annotated[Principal, allowed("fulfil")],
    shipment_id: ShipmentPath,
    wanted: shown.Ship,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Record that the carrier has taken the parcel."""

    async def work(command: Command) -> StoredResponse:
        shipment = shipment_of(command)
        await commands(deps).parcel(
            shipment_id,
            workflows.Order.ship,
            payloads.Ship(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
                carrier=wanted.carrier,
                tracking=wanted.tracking,
            ),
        )
        return await answer(deps, shipment_id)

    return await idempotent.run(caller, wanted, work, about=reading(shipment_id))


@router.post(
    "/{shipment_id}/relabel",
    response_model=shown.Shipment,
    responses={
        202: {"model": shown.Shipment, "description": "Begun; look again."},
        **keyed("not-found", "wrong-state", "duplicate-reference"),
    },
)
async def relabel_shipment(
    caller: Annotated[Principal, allowed("fulfil")],
    shipment_id: ShipmentPath,
    wanted: shown.Relabel,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Void a wrong label before its parcel leaves. A tracking number that was entered
    by hand can also be corrected afterwards."""
    by_hand = wanted.carrier is not None or wanted.tracking is not None
    if by_hand and wanted.parcels is not None:
        raise invalid("#/parcels", "one-of", "Measures are for labels that are bought.")

    async def work(command: Command) -> StoredResponse:
        shipment = shipment_of(command)
        await commands(deps).parcel(
            shipment_id,
            workflows.Order.relabel,
            payloads.Relabel(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
                package=wanted.package,
                carrier=wanted.carrier,
                tracking=wanted.tracking,
                parcels=measures(wanted.parcels or ()),
            ),
        )
        return await packed(deps, shipment)

    return await idempotent.run(caller, wanted, work, about=reading(shipment_id))


@router.post(
    "/{shipment_id}/deliver",
    response_model=shown.Shipment,
    responses=keyed("not-found", "wrong-state"),
)
async def deliver_shipment(
    caller: Annotated[Principal, allowed("fulfil", "orders:operate")],
    shipment_id: ShipmentPath,
    wanted: shown.Deliver,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Record that a parcel was delivered, where its carrier does not report it."""

    async def work(command: Command) -> StoredResponse:
        shipment = shipment_of(command)
        if wanted.at and wanted.at > datetime.fromisoformat(command.memo["asked_at"]):
            raise invalid("#/at", "in-the-future", "It cannot have arrived yet.")
        await commands(deps).parcel(
            shipment_id,
            workflows.Order.deliver,
            payloads.Deliver(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
                at=wanted.at,
            ),
        )
        return await answer(deps, shipment_id)

    memo = {"asked_at": datetime.now(UTC).isoformat()}
    return await idempotent.run(
        caller, wanted, work, memo=memo, about=reading(shipment_id)
    )


@router.post(
    "/{shipment_id}/cancel",
    response_model=shown.Shipment,
    responses={
        202: {
            "model": shown.Shipment,
            "description": "Cancelled once its payment is settled; look again.",
        },
        **keyed("not-found", "wrong-state"),
    },
)
async def cancel_shipment(
    caller: Annotated[Principal, allowed("fulfil", "orders:operate")],
    shipment_id: ShipmentPath,
    idempotent: Idempotent,
    deps: Deps,
    wanted: Nothing | None = None,
) -> Response:
    """Cancel a parcel: its units move to a new one and are not charged again."""

    async def work(command: Command) -> StoredResponse:
        shipment = shipment_of(command)
        await commands(deps).parcel(
            shipment_id,
            workflows.Order.cancel_shipment,
            payloads.CancelShipment(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
            ),
        )
        now = await shipment_when(deps, shipment, lambda now: now.cancel_wanted is None)
        waits = now.cancel_wanted is not None
        return StoredResponse(202 if waits else 200, show_shipment(now))

    return await idempotent.run(caller, None, work, about=reading(shipment_id))


@router.get(
    "/{shipment_id}/label",
    response_class=Response,
    responses={
        200: {"content": {"application/pdf": {}}, "description": "The label."},
        **problems("not-found", "no-label"),
    },
)
async def get_shipment_label(
    caller: Annotated[Principal, allowed("fulfil")],
    shipment_id: ShipmentPath,
    deps: Deps,
    package: Annotated[int, Query(ge=1, le=50)] = 1,
) -> Response:
    """Fetch the label of one of the parcel's packages from the carrier."""
    shipment = await read_shipment(deps, shipment_id)
    labelled = shipment if package == 1 else shipment.package(package)
    label = await fetch_label(deps.http, deps.settings, labelled)
    return Response(label, media_type="application/pdf")
