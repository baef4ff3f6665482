"""Shipping methods and their prices."""

import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.errors import NotFound
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.openapi import problems, problems_of_bodies
from api.http.paging import page_of
from api.http.problems import invalid
from api.http.schemas import Category, Money, Page
from api.orders.amounts import check_currency, check_part
from api.orders.shipping_method import schemas as shown
from api.orders.shipping_method.queries import read_rates
from api.orders.shipping_method.rates import Rate, offered, rates

router = APIRouter(prefix="/v1/shipping-methods", tags=["products"])


@router.get("", response_model=Page[shown.ShippingRate], responses=problems())
async def list_shipping_methods(
    request: Request,
    caller: Annotated[Principal, allowed()],
    query: Annotated[shown.ShippingQuery, Query()],
    deps: Deps,
) -> Response:
    """List shipping prices by country and currency. Callers without `orders:price` pay
    these."""
    async with deps.engine.connect() as connection:
        found = await read_rates(connection, deps.settings.shipping_tariffs)
    if query.currency is not None:
        found = [rate for rate in found if rate.currency == query.currency]
    if query.country is not None:
        found = offered(found, query.country)
    return page_of(request, [_show(rate, query.goods) for rate in found], None)


@router.get(
    "/{code}", response_model=shown.ShippingMethod, responses=problems("not-found")
)
async def get_shipping_method(
    caller: Annotated[Principal, allowed()], code: Category, deps: Deps
) -> Response:
    """Show a method with all its rates."""
    async with deps.engine.connect() as connection:
        found = await read_rates(connection, {}, code)
    if not found:
        raise NotFound(f"shipping method {code}")
    return _answer(code, found[0].name or code, found)


@router.put(
    "/{code}", response_model=shown.ShippingMethod, responses=problems_of_bodies()
)
async def put_shipping_method(
    caller: Annotated[Principal, allowed("catalogue:write")],
    code: Category,
    wanted: shown.ShippingMethodBody,
    deps: Deps,
) -> Response:
    """Create or replace a method with all its rates. Placed orders keep their price."""
    _check(wanted.rates)
    rows = [
        {
            "countries": sorted(set(rate.countries)),
            "currency": rate.price.currency,
            "price": rate.price.amount,
            "free_from": rate.free_from and rate.free_from.amount,
            **rate.model_dump(include={"tax_bp", "carrier", "service"}),
        }
        for rate in wanted.rates
    ]
    values = {"code": code, "name": wanted.name, "rates": json.dumps(rows)}
    async with deps.engine.begin() as connection:
        await connection.execute(_LOCK, {})
        await connection.execute(_DELETE, {"code": code})
        await connection.execute(_INSERT, values)
    named = [row | {"code": code, "name": wanted.name} for row in rows]
    return _answer(code, wanted.name, rates(named, {}))


def _check(wanted: Sequence[shown.NewRate]) -> None:
    """Raises `Problem`; it names the rate."""
    seen: set[tuple[str, str]] = set()
    for index, rate in enumerate(wanted):
        at, currency = f"#/rates/{index}", rate.price.currency
        check_currency(f"{at}/price/currency", currency)
        check_part(f"{at}/price/amount", currency, rate.price.amount)
        if rate.free_from is not None and rate.free_from.currency != currency:
            raise invalid(
                f"{at}/free_from/currency", "currency", "Must be the price's currency"
            )
        for country in set(rate.countries) or {"*"}:
            if (country, currency) in seen:
                raise invalid(
                    f"{at}/countries", "twice", f"Another rate is for {country}"
                )
            seen.add((country, currency))


def _answer(code: str, name: str, found: Sequence[Rate]) -> Response:
    method = shown.ShippingMethod(
        code=code, name=name, rates=[_show(rate, 0) for rate in found]
    )
    return Response(method.model_dump_json(), media_type="application/json")


def _show(rate: Rate, goods: int) -> shown.ShippingRate:
    def money(amount: int) -> Money:
        return Money(amount=amount, currency=rate.currency)

    return shown.ShippingRate(
        code=rate.code,
        name=rate.name,
        countries=list(rate.countries),
        amount=money(rate.cost(goods)),
        price=money(rate.price),
        tax_bp=rate.tax_bp,
        free_from=None if rate.free_from is None else money(rate.free_from),
        carrier=rate.carrier,
        service=rate.service,
    )


# One request at a time, so that all of a method's rates come from one request.
_LOCK = text("LOCK TABLE shipping_methods IN SHARE ROW EXCLUSIVE MODE")
_DELETE = text("DELETE FROM shipping_methods WHERE code = :code")
_INSERT = text(
    """
    INSERT INTO shipping_methods (code, name, currency, countries, price, tax_bp,
      free_from, carrier, service)
    SELECT :code, :name, r.*
    FROM jsonb_to_recordset(cast(:rates AS jsonb)) AS r
      (currency text, countries text[], price bigint, tax_bp int, free_from bigint,
       carrier text, service text)
    """
)
