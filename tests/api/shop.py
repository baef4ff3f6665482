"""A shop to play with: the boring parts of requests, so that tests show the rest."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2

T = TypeVar("T")
Json = dict[str, Any]

SKU = "TEA"
PRICE = 1290
SHIPPING = 490
ADDRESS = {
    "name": "Ada Example",
    "street": "Example Street 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
PARCEL = {"weight_g": 900, "length_mm": 300, "width_mm": 200, "height_mm": 150}


def eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


def as_user(subject: str, *scopes: str) -> dict[str, str]:
    return {"X-Dev-User": subject, "X-Dev-Scopes": " ".join(scopes)}


def key(value: str | None = None) -> dict[str, str]:
    return {"Idempotency-Key": value or str(uuid.uuid4())}


def an_order(quantity: int = 2, **changed: Any) -> Json:
    """A request that is accepted; `None` leaves a field out."""
    order = {
        "customer_id": "ada",
        "currency": "EUR",
        "lines": [{"sku": SKU, "quantity": quantity}],
        "shipping": {"method": "standard", "amount": eur(SHIPPING)},
        "expected_total": eur(PRICE * quantity + SHIPPING),
        "contact": {"name": "Ada Example", "email": "ada@example.com"},
        "ship_to": ADDRESS,
        "payment": {"method": "pm_card_visa"},
    }
    return {
        name: value for name, value in (order | changed).items() if value is not None
    }


class Shop:
    """Requests that succeed; a test that expects a problem uses `client` itself."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self._places: set[str] = set()

    async def sell(self, sku: str = SKU, price: int = PRICE, **changed: Any) -> None:
        """A product, and a place for it."""
        if "berlin" not in self._places:
            await self.open_location()
        body = {"name": f"Product {sku}", "price": eur(price)} | changed
        done(await self.client.put(f"/v1/products/{sku}", json=body))

    async def open_location(self, code: str = "berlin", **known: Any) -> Json:
        self._places.add(code)
        body = {"name": code.title()} | known
        return done(await self.client.put(f"/v1/locations/{code}", json=body))

    async def receive(self, quantity: int, sku: str = SKU) -> Json:
        body = {
            "location": "berlin",
            "ref": str(uuid.uuid4()),
            "lines": [{"sku": sku, "quantity": quantity}],
        }
        return await self.post("/v1/stock/receipts", body)

    async def order(self, quantity: int = 2, **changed: Any) -> Json:
        return await self.post("/v1/orders", an_order(quantity, **changed))

    async def confirmed_order(self, quantity: int = 2, **changed: Any) -> Json:
        """Needs a worker."""
        order = await self.post(
            "/v1/orders", an_order(quantity, **changed), Prefer="wait=20"
        )
        assert order["status"] == "confirmed", order
        return order

    async def shipments(self, order: Json) -> list[Json]:
        found = await self.get("/v1/shipments", order=order["id"])
        shipments: list[Json] = found["data"]
        return shipments

    async def shipment(self, order: Json) -> Json:
        """The order's first parcel; its workflow is there soon after the order's."""
        [shipment, *_] = await eventually(lambda: self.shipments(order))
        return shipment

    async def pack(self, shipment: Json) -> Json:
        lines = [
            {"line": line["line"], "quantity": line["quantity"]}
            for line in shipment["lines"]
        ]
        return await self.post(
            f"/v1/shipments/{shipment['id']}/pack", {"lines": lines, "parcel": PARCEL}
        )

    async def get(self, path: str, **params: Any) -> Json:
        return done(await self.client.get(path, params=params))

    async def post(self, path: str, body: Json, **headers: str) -> Json:
        answer = await self.client.post(path, json=body, headers=key() | headers)
        return done(answer)


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """What `look` sees as soon as it is something. The test's time-out is its limit."""
    while not (seen := await look()):  # noqa: ASYNC110 - of a database
        await asyncio.sleep(0.05)
    return seen


def done(response: httpx2.Response) -> Json:
    assert response.is_success, response.text
    body: Json = response.json()
    return body


def code(response: httpx2.Response) -> str:
    """A problem's code; fails if the answer is not a whole problem document."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json", problem
    assert problem["status"] == response.status_code
    assert {"type", "title", "detail", "instance", "trace_id"} <= problem.keys()
    return str(problem["type"].rpartition("/")[2])
