"""A load test of a system that runs somewhere: for who has a cluster."""

import asyncio
import statistics
import time
import uuid
from collections import defaultdict
from typing import Any

import httpx2

from benchmarks.shop import ADDRESS, PARCEL
from benchmarks.throughput import latencies

Json = dict[str, Any]
PATIENCE_SECONDS = 120.0
LOOK_EVERY_SECONDS = 0.5
END = ("completed", "cancelled")


class Caller:
    """Acts and looks by HTTP alone: there is no way to the database from outside."""

    def __init__(self, http: httpx2.AsyncClient, product: Json, method: str) -> None:
        self._http = http
        self._product = product
        self._method = method
        self.seconds: dict[str, list[float]] = defaultdict(list)

    async def one_order(self, until: str) -> None:
        began = time.perf_counter()
        order = await self._post("place", "/v1/orders", self._order())
        path = f"/v1/orders/{order['id']}"
        await self._until(path, lambda o: o["status"] in ("confirmed", *END))
        if until != "confirmed":
            for parcel in (await self._get(f"/v1/shipments?order={order['id']}"))[
                "data"
            ]:
                await self._send(parcel)
        if until == "completed":
            # The carrier that is set up there has to deliver it.
            await self._until(path, lambda o: o["status"] in END)
        self.seconds["order"].append(time.perf_counter() - began)

    async def _send(self, parcel: Json) -> None:
        lines = [
            {"line": i["line"], "quantity": i["quantity"]} for i in parcel["lines"]
        ]
        path = f"/v1/shipments/{parcel['id']}"
        await self._post("pack", f"{path}/pack", {"lines": lines, "parcel": PARCEL})
        # An answer may come before the label does (202).
        await self._until(path, lambda s: s["status"] != "ready")
        await self._post("ship", f"{path}/ship", {})

    def _order(self) -> Json:
        price = self._product["price"]
        customer = f"load-{uuid.uuid4()}"
        return {
            "customer_id": customer,
            "currency": price["currency"],
            "lines": [{"sku": self._product["sku"], "quantity": 1}],
            "shipping": {"method": "standard"},
            "contact": {"name": "Ada Example", "email": f"{customer}@example.com"},
            "ship_to": ADDRESS,
            "payment": {"method": self._method},
        }

    async def _until(self, path: str, when: Any) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not when(await self._get(path)):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _get(self, path: str) -> Json:
        found: Json = (await self._http.get(path)).raise_for_status().json()
        return found

    async def _post(self, name: str, path: str, body: Json) -> Json:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self._http.post(path, json=body, headers=key)
                if answer.status_code not in (429, 503):
                    break
                await asyncio.sleep(float(answer.headers.get("Retry-After", 1)))
        self.seconds[name].append(time.perf_counter() - began)
        found: Json = answer.raise_for_status().json()
        return found


async def measure(
    api: str,
    token: str | None,
    *,
    sku: str,
    method: str,
    rate: float,
    seconds: float,
    until: str,
) -> Json:
    """Orders of one product at a fixed rate. They are real there: use a test mode."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(base_url=api, headers=headers, timeout=30) as http:
        product = (await http.get(f"/v1/products/{sku}")).raise_for_status().json()
        caller = Caller(http, product, method)
        began, failed = time.perf_counter(), list[str]()

        async def one() -> None:
            try:
                await caller.one_order(until)
            except (httpx2.HTTPError, TimeoutError) as error:
                failed.append(type(error).__name__)

        async with asyncio.TaskGroup() as group:
            for n in range(int(rate * seconds)):
                await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
                group.create_task(one())
    done = caller.seconds["order"]
    return {
        "rate": rate,
        "orders": int(rate * seconds),
        "done": len(done),
        "failed": len(failed),
        "median_seconds": statistics.median(done) if done else None,
        "milliseconds": latencies(caller.seconds),
    }
