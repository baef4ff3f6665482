"""Packing parcels: one, or many at once with an answer for each."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Annotated

from fastapi import APIRouter, Request, Response
from shared.contracts.base import LineQuantity
from shared.contracts.errors import Refusal
from shared.contracts.orders import payloads, workflows
from temporalio.exceptions import ApplicationError

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed
from api.http.problems import Problem, from_refusal, invalid, problem_document
from api.orders.commands import commands
from api.orders.lines import of_command
from api.orders.paths import ShipmentPath
from api.orders.shipment import schemas as shown
from api.orders.shipment.presenter import show_shipment
from api.orders.shipment.progress import measures, packed
from api.orders.shipment.queries import (
    Shipment,
    read_shipment,
    reading,
    shipment_of,
)
from api.orders.update_failures import NoAnswer

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])

_AT_ONCE = 8
"""Simultaneous commands of one request, which leaves room for others."""


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
    deps: Deps,
) -> Response:
    """Capture the payment, then buy the label. 202: a step is still running, or a hold
    stops it (`on_hold`)."""
    boxes = _boxes("#", wanted)

    async def work(command: Command) -> StoredResponse:
        shipment = shipment_of(command)
        picked = _command(shipment, caller, command.key, wanted.lines, boxes)
        return await _pack(deps, shipment, picked, nullcontext())

    return await idempotent.run(caller, wanted, work, about=reading(shipment_id))


@router.post(
    "/pack",
    response_model=shown.PackedShipments,
    responses=keyed(),
)
async def pack_shipments(
    request: Request,
    caller: Annotated[Principal, allowed("fulfil")],
    wanted: shown.PackShipments,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Pack many parcels, each by itself: `data` has an answer for each, in their order,
    as packing it alone would give. If one has `503`, send the same request again under
    the same key: packed parcels stay packed, and the others are tried again."""
    boxes = [
        _boxes(f"#/shipments/{index}", one)
        for index, one in enumerate(wanted.shipments)
    ]
    if len({one.shipment_id for one in wanted.shipments}) < len(boxes):
        raise invalid("#/shipments", "twice", "Each parcel is named once.")
    turn = asyncio.Semaphore(_AT_ONCE)
    base = deps.settings.public_url

    async def work(command: Command) -> StoredResponse:
        async def one(
            item: shown.PackOne, boxes: Sequence[payloads.Parcel]
        ) -> shown.PackedShipment:
            place = f"/v1/shipments/{item.shipment_id}/pack"
            try:
                shipment = await read_shipment(deps, item.shipment_id)
                key = f"{command.key}:{shipment.id}"
                lines = item.lines or _as_planned(shipment)
                picked = _command(shipment, caller, key, lines, boxes)
                answer = await _pack(deps, shipment, picked, turn)
            except (Problem, ApplicationError) as error:
                problem = error if isinstance(error, Problem) else from_refusal(error)
                document = problem_document(base, problem, instance=place)
                return shown.PackedShipment(
                    shipment_id=item.shipment_id,
                    status=problem.status_code,
                    problem=json.loads(document),
                )
            return shown.PackedShipment(
                shipment_id=item.shipment_id,
                status=answer.status,
                shipment=shown.Shipment.model_validate(answer.body.model_dump()),
            )

        data = await asyncio.gather(*map(one, wanted.shipments, boxes))
        final = all(answer.status < 500 for answer in data)
        return StoredResponse(200, shown.PackedShipments(data=data), final=final)

    return await idempotent.run(caller, wanted, work)


async def _pack(
    deps: Dependencies,
    shipment: Shipment,
    command: payloads.Pack,
    turn: AbstractAsyncContextManager[object],
) -> StoredResponse:
    """Pack one parcel. Its turn in the queue ends before payment and label are
    awaited."""
    try:
        async with turn:
            await commands(deps).parcel(shipment.id, workflows.Order.pack, command)
    except NoAnswer:
        begun = await read_shipment(deps, shipment.id)
        if begun.parcel is None:
            raise
        return StoredResponse(202, show_shipment(begun))
    return await packed(deps, shipment)


def _command(
    shipment: Shipment,
    caller: Principal,
    key: str,
    lines: Sequence[shown.PickedLine],
    boxes: Sequence[payloads.Parcel],
) -> payloads.Pack:
    return payloads.Pack(
        order_id=shipment.order_id,
        key=key,
        actor=caller.subject,
        shipment_id=shipment.id,
        lines=of_command(lines),
        parcel=boxes[0],
        further=tuple(boxes[1:]),
        later=tuple(
            LineQuantity(line=item.line, quantity=item.later)
            for item in lines
            if item.later
        ),
    )


def _as_planned(shipment: Shipment) -> list[shown.PickedLine]:
    """The planned units. Raises `Refusal` for an empty parcel."""
    if not shipment.lines:
        raise Refusal("wrong-state", f"The shipment is {shipment.status}.")
    return [
        shown.PickedLine(line=line.line, quantity=line.qty) for line in shipment.lines
    ]


def _boxes(at: str, wanted: shown.Pack | shown.PackOne) -> tuple[payloads.Parcel, ...]:
    """The packages. Raises a `Problem` if they are given twice, or not at all."""
    if (wanted.parcel is None) is (wanted.parcels is None):
        raise invalid(f"{at}/parcel", "one-of", "Give either parcel or parcels.")
    return measures(wanted.parcels or [wanted.parcel])
