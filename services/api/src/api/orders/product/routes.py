"""Products and their prices."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from shared.contracts.errors import NotFound
from shared.database.engine import Connection
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.openapi import problems, problems_of_bodies, response_headers
from api.http.paging import ListQuery, page_response
from api.http.paging import text as text_of
from api.http.problems import Problem, invalid
from api.http.schemas import Money, Page
from api.orders.amounts import check_currency, check_part
from api.orders.paths import SkuPath
from api.orders.product.schemas import (
    HIGHEST_PRICE,
    NewPrice,
    Product,
    ProductBody,
)

router = APIRouter(prefix="/v1/products", tags=["products"])


@router.put(
    "/{sku:path}",
    response_model=Product,
    responses={200: response_headers("ETag"), **problems_of_bodies("version-mismatch")},
)
async def put_product(
    caller: Annotated[Principal, allowed("catalogue:write")],
    sku: SkuPath,
    wanted: ProductBody,
    deps: Deps,
    if_match: Annotated[
        str | None, Header(description="The ETag of the product as it was seen.")
    ] = None,
) -> Response:
    """Create or replace a product. Placed orders keep their price. `If-Match` refuses
    to overwrite a change that the caller has not seen."""
    _check_prices(wanted)
    values = wanted.model_dump(exclude={"price", "prices"}) | {
        "sku": sku,
        "price": wanted.price.amount,
        "currency": wanted.price.currency,
    }
    async with deps.engine.begin() as connection:
        if if_match is not None:
            await _check_unchanged(connection, sku, if_match)
        await connection.execute(_PUT, values)
        replaced = {"sku": sku, "currency": wanted.price.currency}
        await connection.execute(
            _FORGET_PRICES, replaced | {"every": wanted.prices is not None}
        )
        if wanted.prices:
            prices = json.dumps([_columns(price) for price in wanted.prices])
            await connection.execute(_PUT_PRICES, {"sku": sku, "prices": prices})
        row = (await connection.execute(_ONE, {"sku": sku})).one()
    return _answer(_show(dict(row)))


def _check_prices(wanted: ProductBody) -> None:
    """Raises `Problem`; it names the price."""
    seen: set[str] = set()
    prices = {"#/price": wanted.price} | {
        f"#/prices/{index}/price": more.price
        for index, more in enumerate(wanted.prices or ())
    }
    for pointer, price in prices.items():
        if price.amount > HIGHEST_PRICE:
            raise invalid(
                f"{pointer}/amount", "less_than_equal", f"At most {HIGHEST_PRICE}"
            )
        check_currency(f"{pointer}/currency", price.currency)
        check_part(f"{pointer}/amount", price.currency, price.amount)
        if price.currency in seen:
            raise invalid(f"{pointer}/currency", "twice", "Has a price already")
        seen.add(price.currency)


def _columns(more: NewPrice) -> dict[str, object]:
    return {
        "currency": more.price.currency,
        "price": more.price.amount,
        "tax_bp": more.tax_bp,
    }


@router.get("/{sku:path}", response_model=Product, responses=problems("not-found"))
async def get_product(
    caller: Annotated[Principal, allowed()], sku: SkuPath, deps: Deps
) -> Response:
    """Show a product at its current price."""
    async with deps.engine.connect() as connection:
        row = (await connection.execute(_ONE, {"sku": sku})).one_or_none()
    if row is None:
        raise NotFound(f"product {sku}")
    return _answer(_show(dict(row)))


_PRODUCT = """
    SELECT p.*, (SELECT coalesce(json_agg(c ORDER BY c.currency), '[]')
      FROM product_prices c WHERE c.sku = p.sku) AS prices
    FROM products p"""
_ONE = text(f"{_PRODUCT} WHERE sku = :sku")
_LOCK = text(f"{_PRODUCT} WHERE sku = :sku FOR UPDATE OF p")


@router.get("", response_model=Page[Product], responses=problems())
async def list_products(
    request: Request,
    caller: Annotated[Principal, allowed()],
    query: Annotated[ListQuery, Query()],
    deps: Deps,
) -> Response:
    """List all products by SKU, including those no longer sold."""
    position = query.position(request, text_of) or [""]
    parameters = {"after": position[0], "rows": query.limit + 1}
    async with deps.engine.connect() as connection:
        rows = await connection.execute(_LIST, parameters)
    return page_response(
        request, rows, query.limit, lambda p: _show(dict(p)), lambda p: (p["sku"],)
    )


def _show(row: Mapping[Any, Any]) -> Product:
    prices = [
        {"price": _money(more), "tax_bp": _tax(more, row)} for more in row["prices"]
    ]
    return Product.model_validate({**row, "price": _money(row), "prices": prices})


def _tax(more: Mapping[Any, Any], product: Mapping[Any, Any]) -> Any:
    return product["tax_bp"] if more["tax_bp"] is None else more["tax_bp"]


def _money(row: Mapping[Any, Any]) -> Money:
    return Money(amount=row["price"], currency=row["currency"])


async def _check_unchanged(connection: Connection, sku: str, if_match: str) -> None:
    row = (await connection.execute(_LOCK, {"sku": sku})).one_or_none()
    current = None if row is None else _etag(_show(dict(row)))
    tags = [tag.strip() for tag in if_match.split(",")]
    if current is None or (current not in tags and tags != ["*"]):
        raise Problem("version-mismatch", "The product has changed.")


def _etag(product: Product) -> str:
    """The ETag of a product's content: setting it back to that content is no change."""
    digest = hashlib.sha256(product.model_dump_json().encode()).hexdigest()
    return f'"{digest[:32]}"'


def _answer(product: Product) -> Response:
    return Response(
        product.model_dump_json(),
        media_type="application/json",
        headers={"ETag": _etag(product)},
    )


_PUT = text(
    """
    INSERT INTO products
      (sku, name, price, currency, tax_bp, backorder, returnable, active, hs_code,
       origin)
    VALUES
      (:sku, :name, :price, :currency, :tax_bp, :backorder, :returnable, :active,
       :hs_code, :origin)
    ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price,
      currency = excluded.currency, tax_bp = excluded.tax_bp,
      backorder = excluded.backorder, returnable = excluded.returnable,
      active = excluded.active, hs_code = coalesce(excluded.hs_code, products.hs_code),
      origin = coalesce(excluded.origin, products.origin)
    """
)
_FORGET_PRICES = text(
    "DELETE FROM product_prices"
    " WHERE sku = :sku AND (currency = :currency OR cast(:every AS boolean))"
)
_PUT_PRICES = text(
    """
    INSERT INTO product_prices (sku, currency, price, tax_bp)
    SELECT :sku, c.* FROM jsonb_to_recordset(cast(:prices AS jsonb)) AS c
      (currency text, price bigint, tax_bp int)
    """
)
_LIST = text(f"{_PRODUCT} WHERE sku > :after ORDER BY sku LIMIT :rows")
