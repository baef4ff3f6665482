"""A shop as the carrier sees it."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.simulators.shop import new_key


@dataclass(frozen=True)
class Parcels:
    http: httpx2.AsyncClient

    async def request_label(
        self, key: str | None = None, **changes: Any
    ) -> httpx2.Response:
        body = {
            "reference": new_key(),
            "to": an_address(),
            "weight_g": 800,
            "length_mm": 300,
            "width_mm": 200,
            "height_mm": 100,
            **changes,
        }
        headers = {"Idempotency-Key": key or new_key()}
        return await self.http.post("/v1/labels", json=body, headers=headers)

    async def label(self, **changes: Any) -> dict[str, Any]:
        response = await self.request_label(**changes)
        label: dict[str, Any] = response.raise_for_status().json()
        return label

    async def scan(self, tracking: str, status: str, **fields: Any) -> httpx2.Response:
        path = f"/v1/trackers/{tracking}/scan"
        return await self.http.post(path, json={"status": status, **fields})

    async def tracker(self, tracking: str) -> dict[str, Any]:
        response = await self.http.get(f"/v1/trackers/{tracking}")
        tracker: dict[str, Any] = response.raise_for_status().json()
        return tracker

    async def void(self, label: dict[str, Any]) -> httpx2.Response:
        return await self.http.post(f"/v1/labels/{label['id']}/void")

    async def switch_on(self, kind: str, path: str = "", **fields: Any) -> None:
        fault = {"kind": kind, "path": path, **fields}
        (await self.http.post("/_sim/faults", json=fault)).raise_for_status()


def an_address(postal_code: str = "10115") -> dict[str, str]:
    return {
        "name": "Ada Example",
        "street": "Main Street 1",
        "city": "Berlin",
        "postal_code": postal_code,
        "country": "DE",
    }
