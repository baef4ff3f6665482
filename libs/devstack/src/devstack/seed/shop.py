"""The people of the shop, over HTTP: each request has a fixed key, so that an
interrupted seeding continues where it was."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from devstack.auth_headers import AuthHeaders

Json = dict[str, Any]

PATIENCE_SECONDS = 120.0
"""Time-out for events, on a machine that is busy with all the other orders."""
_LOOK_AGAIN_SECONDS = 0.25
_BUSY = (httpx2.codes.CONFLICT, httpx2.codes.SERVICE_UNAVAILABLE)
_PARCEL = {"weight_g": 900, "length_mm": 300, "width_mm": 200, "height_mm": 150}


class SeedFailed(Exception):
    """The shop was not filled; the message says by what."""


class Refused(SeedFailed):
    """The API refused a request."""


@dataclass(frozen=True)
class Shop:
    """`carrier` is the base address of the simulator that scans the parcels."""

    http: httpx2.AsyncClient
    carrier: str
    auth_headers: AuthHeaders

    async def post(
        self, who: tuple[str, ...], path: str, body: Json, key: str, **others: str
    ) -> Json:
        headers = self.auth_headers(*who) | {"Idempotency-Key": f"seed-{key}"} | others
        return await self._send(
            lambda: self.http.post(path, json=body, headers=headers)
        )

    async def put(self, who: tuple[str, ...], path: str, body: Json) -> Json:
        headers = self.auth_headers(*who)
        return await self._send(lambda: self.http.put(path, json=body, headers=headers))

    async def get(self, who: tuple[str, ...], path: str, **query: str) -> Json:
        headers = self.auth_headers(*who)
        return await self._send(
            lambda: self.http.get(path, params=query, headers=headers)
        )

    async def scan(self, tracking: str, status: str) -> None:
        url = f"{self.carrier}/v1/trackers/{tracking}/scan"
        await self._send(lambda: self.http.post(url, json={"status": status}))

    async def _send(self, request: Callable[[], Any]) -> Json:
        """Send, and repeat while the system is too busy, as `Retry-After` asks."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (answer := await request()).status_code in _BUSY:
                    if "retry-after" not in answer.headers:
                        break
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except TimeoutError:
            raise SeedFailed("The system was too busy for too long") from None
        if answer.is_error:
            sent = answer.request
            raise Refused(
                f"{sent.method} {sent.url} answered {answer.status_code}: {answer.text}"
            )
        body: Json = answer.json()
        return body


WEB = ("web-shop", "orders:write", "orders:read")
CLERK = ("grace", "orders:operate", "refunds:write")
APPROVER = ("ines", "approvals")
WAREHOUSE = ("walt", "fulfil", "stock:write")
STOREKEEPER = ("stella", "catalogue:write", "locations:write", "stock:write")


@dataclass
class Order:
    """One order of the shop, and what its people do about it."""

    shop: Shop
    ref: str
    seen: Json = field(default_factory=dict, init=False)
    """The order as it was last read."""

    @property
    def id(self) -> str:
        return str(self.seen["id"])

    async def place(self, body: Json) -> None:
        """Place it, and usually wait until it is confirmed or held."""
        prefer = {"Prefer": "wait=10"}
        self.seen = await self.shop.post(WEB, "/v1/orders", body, self.ref, **prefer)

    async def until(self, when: Callable[[Json], object]) -> Json:
        """The order as it is once `when` holds."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not when(self.seen):
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                    self.seen = await self.shop.get(WEB, f"/v1/orders/{self.id}")
        except TimeoutError:
            raise SeedFailed(f"{self.ref} never came so far: {self.seen}") from None
        return self.seen

    async def held(self, reason: str) -> str:
        """The id of its hold for this reason, once there is one."""

        def holds(order: Json) -> list[str]:
            return [h["id"] for h in order["holds"] if h["reason"] == reason]

        return holds(await self.until(holds))[0]

    async def decide(self, who: tuple[str, ...], reason: str, decision: str) -> None:
        hold = await self.held(reason)
        body = {"decision": decision, "note": "As agreed on the phone."}
        await self.do(who, f"/v1/holds/{hold}/release", body)

    async def parcels(self) -> list[Json]:
        """Its parcels, once they are planned."""
        order = await self.until(lambda order: order["shipments"])
        parcels: list[Json] = order["shipments"]
        return parcels

    async def pack(self, parcel: Json) -> None:
        """Until it has its label: a busy system answers 202 before that. Raises
        `Refused`."""
        body = {"lines": parcel["lines"], "parcel": _PARCEL}
        packed = await self.do(WAREHOUSE, f"/v1/shipments/{parcel['id']}/pack", body)
        if packed["status"] == "ready":
            await self.until(lambda order: _is_packed_or_held(order, parcel["id"]))

    async def ship(self, parcel: Json, seen: str) -> None:
        """Packed, handed over, and `seen` by the carrier in this state."""
        await self.pack(parcel)
        sent = await self.do(WAREHOUSE, f"/v1/shipments/{parcel['id']}/ship", {})
        await self.shop.scan(sent["tracking"], seen)

    async def do(
        self, who: tuple[str, ...], path: str, body: Mapping[str, Any]
    ) -> Json:
        return await self.shop.post(who, path, dict(body), f"{self.ref}{path}")


def _is_packed_or_held(order: Json, shipment_id: str) -> bool:
    parcel = next(p for p in order["shipments"] if p["id"] == shipment_id)
    return bool(parcel["status"] != "ready" or order["holds"])
