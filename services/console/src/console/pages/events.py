"""Events: who hears of them by webhook, what was delivered, and sending it again."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from console.pages.forms import Key, act
from console.person import SignedIn
from console.templating import page

router = APIRouter(prefix="/events")

SHOWN = 100
STATUSES = ("failed", "pending", "succeeded")
ENDPOINT_ACTIONS = {"enable": "Enabled.", "disable": "Disabled.", "test": "Sent."}


@router.get("")
async def endpoints(request: Request, person: SignedIn) -> Response:
    rows = await person.api.rows("/v1/webhook-endpoints", limit=SHOWN)
    return page(request, "events.html", rows=rows)


@router.get("/{endpoint_id}")
async def deliveries(
    request: Request,
    endpoint_id: str,
    person: SignedIn,
    status: str = "",
    cursor: str = "",
) -> Response:
    path = f"/v1/webhook-endpoints/{endpoint_id}"
    chosen = status if status in STATUSES else ""
    endpoint, found = await asyncio.gather(
        person.api.get(path),
        person.api.get(f"{path}/deliveries", status=chosen, limit=SHOWN, cursor=cursor),
    )
    return page(
        request,
        "endpoint.html",
        it=endpoint,
        rows=found["data"],
        next_cursor=found["next_cursor"],
        statuses=STATUSES,
        chosen=chosen,
    )


@router.post("/{endpoint_id}/deliveries/{delivery_id}")
async def redeliver(
    request: Request, endpoint_id: str, delivery_id: str, person: SignedIn, key: Key
) -> Response:
    path = f"/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/redeliver"
    work = person.api.post(path, {}, key)
    return await act(request, f"/events/{endpoint_id}", work, "It is sent once more.")


@router.post("/{endpoint_id}/{action}")
async def change(
    request: Request, endpoint_id: str, action: str, person: SignedIn, key: Key
) -> Response:
    if action not in ENDPOINT_ACTIONS:
        return RedirectResponse(f"/events/{endpoint_id}", 303)
    path = f"/v1/webhook-endpoints/{endpoint_id}/{action}"
    work = person.api.post(path, {}, key)
    return await act(request, f"/events/{endpoint_id}", work, ENDPOINT_ACTIONS[action])
