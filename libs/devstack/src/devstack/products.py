"""Products and stock to play with, put there through the HTTP API.

Safe to repeat: products are overwritten with themselves, and the receipt carries the
same idempotency key every time.
"""

import asyncio
import hashlib
import json
from typing import Annotated, Any

import httpx2
import typer

from devstack.auth_headers import by_header

TOKEN_VARIABLE = "DEV_TOKEN"  # noqa: S105
STOREKEEPER = ("dev-stack", "catalogue:write", "locations:write", "stock:write")
"""Who loads them, and what that takes."""

LOCATION = "berlin"
SECOND_LOCATION = "leipzig"
LOCATIONS: dict[str, dict[str, Any]] = {
    LOCATION: {"name": "Berlin", "priority": 10},
    SECOND_LOCATION: {"name": "Leipzig", "priority": 20},
}
CURRENCY = "EUR"

PRODUCTS: dict[str, dict[str, Any]] = {
    "TEA-ASSAM": {"name": "Assam tea, 250 g", "price": 1290, "tax_bp": 700},
    "TEA-SENCHA": {"name": "Sencha tea, 100 g", "price": 1490, "tax_bp": 700},
    "MUG-BLUE": {"name": "Mug, blue", "price": 990, "tax_bp": 1900},
    "KETTLE": {"name": "Kettle, 1.2 l", "price": 4990, "tax_bp": 1900},
    "GIFT-CARD-BOX": {"name": "Gift box", "price": 490, "tax_bp": 1900},
}
"""By SKU; prices in cents, tax in hundredths of a percent."""

STOCK = {
    LOCATION: {"TEA-ASSAM": 500, "TEA-SENCHA": 500, "MUG-BLUE": 500, "KETTLE": 100},
    # The gift box lies elsewhere: with tea it is shipped in two parcels, and with a mug
    # in one.
    SECOND_LOCATION: {"MUG-BLUE": 50, "GIFT-CARD-BOX": 500},
}


async def load_products(api: str, headers: dict[str, str]) -> None:
    """Create the products and receive the stock. Raises `httpx2.HTTPStatusError`."""
    async with httpx2.AsyncClient(
        base_url=api, headers=headers, trust_env=False, timeout=15
    ) as client:
        for sku, product in PRODUCTS.items():
            await _put_product(client, sku, product)
        for code, known in LOCATIONS.items():
            await _put_location(client, code, known)
        for location, quantities in STOCK.items():
            await _receive(client, location, quantities)


async def _put_product(
    client: httpx2.AsyncClient, sku: str, product: dict[str, Any]
) -> None:
    price = {"amount": product["price"], "currency": CURRENCY}
    rest = {"backorder": False, "returnable": True, "active": True}
    body = product | {"price": price} | rest
    _checked(await client.put(f"/v1/products/{sku}", json=body))


async def _put_location(
    client: httpx2.AsyncClient, code: str, known: dict[str, Any]
) -> None:
    address = {
        "name": "Example Shop",
        "street": "Example Street 1",
        "city": known["name"],
        "postal_code": "10115" if code == LOCATION else "04109",
        "country": "DE",
    }
    _checked(
        await client.put(f"/v1/locations/{code}", json=known | {"address": address})
    )


async def _receive(
    client: httpx2.AsyncClient, location: str, quantities: dict[str, int]
) -> None:
    lines = [{"sku": sku, "quantity": n} for sku, n in quantities.items()]
    ref = f"first-delivery-{location}"
    body = {"location": location, "lines": lines, "ref": ref, "again": True}
    # Other quantities, in a later version of this file, are another delivery.
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()[:12]
    headers = {"Idempotency-Key": f"first-delivery-{digest}"}
    _checked(await client.post("/v1/stock/receipts", json=body, headers=headers))


def _checked(response: httpx2.Response) -> None:
    if response.is_error:
        # The problem document says more than the status.
        print(response.request.method, response.request.url, response.text)
        response.raise_for_status()


def load(
    api: Annotated[str, typer.Option(help="Base address of the API.")],
    token: Annotated[str | None, typer.Option(envvar=TOKEN_VARIABLE)] = None,
) -> None:
    """Load the demo products and their stock."""
    headers = {"Authorization": f"Bearer {token}"} if token else by_header(*STOREKEEPER)
    asyncio.run(load_products(api, headers))


if __name__ == "__main__":
    typer.run(load)
