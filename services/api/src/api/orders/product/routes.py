"""What is sold, and for how much."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.errors import NotFound
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.openapi import problems, problems_of_bodies
from api.http.paging import ListQuery, page_response
from api.http.paging import text as text_of
from api.http.problems import invalid
from api.http.schemas import Money, Page
from api.orders.amounts import check_currency, check_part
from api.orders.paths import SkuPath
from api.orders.product.schemas import HIGHEST_PRICE, Product, ProductBody
from api.services import ApiServices

router = APIRouter(prefix="/v1/products", tags=["products"])


@router.put("/{sku}", response_model=Product, responses=problems_of_bodies("not-found"))
async def put_product(
    caller: Annotated[Principal, allowed("catalogue:write")],
    sku: SkuPath,
    wanted: ProductBody,
    services: ApiServices,
) -> Response:
    """Create or replace. Orders that are placed keep the price they were placed at."""
    if wanted.price.amount > HIGHEST_PRICE:
        raise invalid("#/price/amount", "less_than_equal", f"At most {HIGHEST_PRICE}")
    check_currency("#/price/currency", wanted.price.currency)
    check_part("#/price/amount", wanted.price.currency, wanted.price.amount)
    values = wanted.model_dump(exclude={"price"}) | {
        "sku": sku,
        "price": wanted.price.amount,
        "currency": wanted.price.currency,
    }
    async with services.engine.begin() as connection:
        await connection.execute(_PUT, values)
    return _answer(_show(values))


@router.get("/{sku}", response_model=Product, responses=problems("not-found"))
async def get_product(
    caller: Annotated[Principal, allowed()], sku: SkuPath, services: ApiServices
) -> Response:
    """A product at the price of now."""
    async with services.engine.connect() as connection:
        row = (await connection.execute(_ONE, {"sku": sku})).one_or_none()
    if row is None:
        raise NotFound(f"product {sku}")
    return _answer(_show(dict(row)))


_ONE = text("SELECT * FROM products WHERE sku = :sku")


@router.get("", response_model=Page[Product], responses=problems())
async def list_products(
    request: Request,
    caller: Annotated[Principal, allowed()],
    query: Annotated[ListQuery, Query()],
    services: ApiServices,
) -> Response:
    """All products by SKU, also those that are not sold any more."""
    position = query.position(text_of) or [""]
    parameters = {"after": position[0], "rows": query.limit + 1}
    async with services.engine.connect() as connection:
        rows = await connection.execute(_LIST, parameters)
    return page_response(
        request, rows, query.limit, lambda p: _show(dict(p)), lambda p: (p["sku"],)
    )


def _show(row: Mapping[Any, Any]) -> Product:
    price = Money(amount=row["price"], currency=row["currency"])
    return Product.model_validate({**row, "price": price})


def _answer(product: Product) -> Response:
    return Response(product.model_dump_json(), media_type="application/json")


_PUT = text(
    """
    INSERT INTO products
      (sku, name, price, currency, tax_bp, backorder, returnable, active)
    VALUES
      (:sku, :name, :price, :currency, :tax_bp, :backorder, :returnable, :active)
    ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price = excluded.price,
      currency = excluded.currency, tax_bp = excluded.tax_bp,
      backorder = excluded.backorder, returnable = excluded.returnable,
      active = excluded.active
    """
)
_LIST = text("SELECT * FROM products WHERE sku > :after ORDER BY sku LIMIT :rows")
