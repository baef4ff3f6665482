"""Packing and shipping."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.errors import Refusal
from shared.contracts.orders import models, workflows
from shared.contracts.orders.states import ShipmentStatus
from shared.database.orders.snapshot import OrderSnapshot

from api.http.auth import Principal, allowed
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.schemas import Nothing, Page
from api.orders.commands import Ended, NoAnswer
from api.orders.lines import of_command
from api.orders.paths import ShipmentPath
from api.orders.shipment import schemas as shown
from api.orders.shipment.labels import fetch_label
from api.orders.shipment.presenter import show_shipment
from api.orders.shipment.queries import (
    Shipment,
    page_of_shipments,
    read_shipment,
)
from api.services import ApiServices, Services

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])


@router.get("", response_model=Page[shown.Shipment], responses=problems())
async def list_shipments(
    request: Request,
    caller: Annotated[Principal, allowed("fulfil", "orders:read")],
    query: Annotated[shown.ShipmentQuery, Query()],
    services: ApiServices,
) -> Response:
    """Oldest first: what has waited longest is packed next."""
    position = query.position(moment, text_of)
    after = (position[0], position[1]) if position else None
    shipments = await page_of_shipments(services, query, after)
    return page_response(
        request, shipments, query.limit, show_shipment, lambda s: (s.created_at, s.id)
    )


@router.get(
    "/{shipment_id}", response_model=shown.Shipment, responses=problems("not-found")
)
async def get_shipment(
    caller: Annotated[Principal, allowed("fulfil", "orders:read")],
    shipment_id: ShipmentPath,
    services: ApiServices,
) -> Response:
    """A parcel as it is now."""
    return (await _answer(services, shipment_id)).response()


@router.post(
    "/{shipment_id}/pack",
    response_model=shown.Shipment,
    responses={
        202: {"model": shown.Shipment, "description": "Begun; look again."},
        **keyed(
            *("not-found", "on-hold", "payment-failed", "quantity-exceeded"),
            "wrong-state",
        ),
    },
)
async def pack_shipment(
    caller: Annotated[Principal, allowed("fulfil")],
    shipment_id: ShipmentPath,
    wanted: shown.Pack,
    idempotent: Idempotent,
    services: ApiServices,
) -> Response:
    """Take the money, then buy the label. 202 if one of them takes its time."""
    shipment = await read_shipment(services, shipment_id)

    async def work(command: Command) -> StoredResponse:
        try:
            await services.commands.shipment(
                shipment_id,
                workflows.Shipment.pack,
                models.Pack(
                    order_id=shipment.order_id,
                    key=command.key,
                    actor=caller.subject,
                    shipment_id=shipment_id,
                    lines=of_command(wanted.lines),
                    parcel=models.Parcel(**wanted.parcel.model_dump()),
                ),
                _refuse(shipment),
            )
        except NoAnswer:
            begun = await read_shipment(services, shipment_id)
            if begun.parcel is None:
                raise
            return StoredResponse(202, show_shipment(begun))
        return await _answer(services, shipment_id)

    return await idempotent.run(caller, wanted, work)


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
    services: ApiServices,
) -> Response:
    """The parcel was handed to the carrier."""
    shipment = await read_shipment(services, shipment_id)

    async def work(command: Command) -> StoredResponse:
        await services.commands.shipment(
            shipment_id,
            workflows.Shipment.ship,
            models.Ship(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
                carrier=wanted.carrier,
                tracking=wanted.tracking,
            ),
            _refuse(shipment),
        )
        return await _answer(services, shipment_id)

    return await idempotent.run(caller, wanted, work)


@router.post(
    "/{shipment_id}/cancel",
    response_model=shown.Shipment,
    responses=keyed("not-found", "wrong-state"),
)
async def cancel_shipment(
    caller: Annotated[Principal, allowed("fulfil", "orders:operate")],
    shipment_id: ShipmentPath,
    idempotent: Idempotent,
    services: ApiServices,
    wanted: Nothing | None = None,
) -> Response:
    """Take it apart: what was in it is planned anew, and is not paid for again."""
    shipment = await read_shipment(services, shipment_id)

    async def work(command: Command) -> StoredResponse:
        await services.commands.shipment(
            shipment_id,
            workflows.Shipment.cancel,
            models.CancelShipment(
                order_id=shipment.order_id,
                key=command.key,
                actor=caller.subject,
                shipment_id=shipment_id,
            ),
            _refuse(shipment),
        )
        return await _answer(services, shipment_id)

    return await idempotent.run(caller, None, work)


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
    services: ApiServices,
) -> Response:
    """What is stuck on the parcel, as the carrier has it."""
    shipment = await read_shipment(services, shipment_id)
    label = await fetch_label(services.http, services.settings, shipment)
    return Response(label, media_type="application/pdf")


async def _answer(services: Services, shipment_id: str) -> StoredResponse:
    return StoredResponse(
        200, show_shipment(await read_shipment(services, shipment_id))
    )


def _refuse(shipment: Shipment) -> Ended:
    def over(order: OrderSnapshot) -> Refusal:
        now = order.shipment(shipment.id).status
        return Refusal("wrong-state", f"The shipment is {ShipmentStatus(now)}.")

    return over
