"""Placing and reading orders."""

import asyncio
import re
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import Connection
from shared.database.orders.metrics import PLACED
from shared.database.orders.snapshot import OrderSnapshot

from api.http.auth import Principal, allowed, is_subject
from api.http.dependencies import Deps
from api.http.idempotency import Answering, Idempotent, StoredResponse
from api.http.openapi import (
    keyed,
    problems,
    problems_of_bodies,
    response_headers,
)
from api.http.paging import page_response
from api.http.problems import Problem, invalid
from api.http.schemas import Page
from api.kernel.personal_data import log_read
from api.orders.commands import commands
from api.orders.order import queries
from api.orders.order.acceptance import (
    check_customers_order,
    check_provider_customer,
    check_return_url,
)
from api.orders.order.finding import find, search
from api.orders.order.placement import new_order, place, read_known
from api.orders.order.presenter import show_order
from api.orders.order.quantities import check_quantities
from api.orders.order.schemas import NewOrder, Order, OrderQuery, OrderSearch
from api.orders.paths import OrderPath

router = APIRouter(prefix="/v1", tags=["orders"])

LONGEST_WAIT_SECONDS = 30
# The answer depends on the caller, and says what somebody bought, so no cache may keep
# it.
_CACHE = {"Cache-Control": "no-store", "Vary": "Authorization"}


@router.post(
    "/orders",
    status_code=201,
    response_model=Order,
    responses={
        201: response_headers("Location", "ETag", "Preference-Applied"),
        **keyed(
            "price-changed", "duplicate-reference", "unknown-sku", "quantity-limit"
        ),
    },
)
async def place_order(
    caller: Annotated[Principal, allowed("orders:own", "orders:write")],
    wanted: NewOrder,
    idempotent: Idempotent,
    deps: Deps,
    prefer: Annotated[
        str | None, Header(description="`wait=10`: answer when it is decided.")
    ] = None,
) -> Response:
    """Place an order. The API accepts it while Temporal is down, too.

    With `Prefer: wait=N` the API answers once the order is confirmed, cancelled or on
    hold, at the latest after N seconds (at most 30).
    """
    seconds = _wait_seconds(prefer)
    customer = _customer(caller, wanted)
    check_provider_customer(caller, wanted.payment, "#/payment/customer")

    async def work(
        connection: Connection, answering: Answering
    ) -> StoredResponse | None:
        settings, actor = deps.settings, caller.subject
        check_return_url(
            wanted.payment, settings.return_origins, "#/payment/return_url"
        )
        check_customers_order(caller, wanted)
        known = await read_known(connection, wanted, customer, actor)
        check_quantities(settings, wanted, known.unpaid)
        order = new_order(
            *(wanted, known, customer),
            sets_prices=caller.may("orders:price"),
            tariffs=settings.shipping_tariffs,
        )
        # A large order is not priced and reserved in one go: see `place`.
        await asyncio.sleep(0)
        return await place(connection, wanted, order, known, actor, _placed, answering)

    placed = await idempotent.statement(caller, wanted, work)
    location = placed.headers.get("location")
    if placed.status_code != 201 or location is None:
        return placed
    order_id = location.rpartition("/")[2]
    if "idempotency-replayed" not in placed.headers:
        PLACED.inc()
    # In the background: the order is stored, and a lost start is made up for within
    # seconds. A repeat may come after the first request broke off before this.
    starting = commands(deps).start(order_id)
    await deps.unless_busy_in_background(starting)
    if not seconds:
        return placed
    return await _decided(deps, order_id, seconds, placed)


@router.get(
    "/orders/{order_id}",
    response_model=Order,
    responses={
        200: response_headers("ETag"),
        304: {"description": "Not changed", **response_headers("ETag")},
        **problems("not-found"),
    },
)
async def get_order(
    caller: Annotated[Principal, allowed("orders:own", "orders:read", "link:read")],
    order_id: OrderPath,
    deps: Deps,
    if_none_match: Annotated[
        str | None, Header(description="ETags of what is known: 304 if one fits.")
    ] = None,
) -> Response:
    """Show an order as it is now. Customers see their own."""
    order = await queries.visible_order(deps, caller, order_id, "orders:read")
    headers = {"ETag": etag(order), **_CACHE}
    if if_none_match is not None and _matches(if_none_match, etag(order)):
        return Response(status_code=304, headers=headers)
    return order_response(order, headers)


@router.get("/orders", response_model=Page[Order], responses=problems())
async def list_orders(
    request: Request,
    caller: Annotated[Principal, allowed("orders:own", "orders:read")],
    query: Annotated[OrderQuery, Query()],
    deps: Deps,
) -> Response:
    """List orders, newest first unless sorted otherwise. Customers see their own.

    URLs are logged, so no filter takes personal data: search by name or mail with `POST
    /v1/orders/search`.
    """
    customer = None if caller.may("orders:read") else caller.subject
    found = find(request, query, customer)
    rows, shown = await queries.page_of_orders(deps, found, query.limit)
    by = attrgetter(query.sort.removeprefix("-"), "id")
    return page_response(request, rows, query.limit, lambda row: shown[row.id], by)


@router.post(
    "/orders/search",
    response_model=Page[Order],
    responses=problems_of_bodies(),
    dependencies=[allowed("orders:read")],
)
async def search_orders(
    request: Request,
    caller: Annotated[Principal, allowed("contacts:read")],
    wanted: OrderSearch,
    deps: Deps,
) -> Response:
    """Find orders, newest first, by number, reference, tracking number, mail address or
    name. The query is in the body because URLs are logged. Each search is logged with
    its caller. Erased customers are not found. Needs `orders:read`, too."""
    found = search(request, wanted)
    rows, shown = await queries.page_of_orders(deps, found, wanted.limit)
    log_read(caller, "search", *shown)
    by = attrgetter("created_at", "id")
    return page_response(request, rows, wanted.limit, lambda row: shown[row.id], by)


def etag(order: OrderSnapshot) -> str:
    return f'"{order.version}"'


def order_response(order: OrderSnapshot, headers: dict[str, str]) -> Response:
    body = show_order(order).model_dump_json()
    return Response(body, headers=headers, media_type="application/json")


def _placed(order: OrderSnapshot) -> StoredResponse:
    headers = {"Location": f"/v1/orders/{order.id}", "ETag": etag(order)}
    return StoredResponse(201, show_order(order), headers)


async def _decided(
    deps: Deps, order_id: str, seconds: int, placed: Response
) -> Response:
    order = await queries.order_when(deps, order_id, _is_decided, seconds)
    response = _placed(order).response()
    response.headers["Preference-Applied"] = f"wait={seconds}"
    if replayed := placed.headers.get("idempotency-replayed"):
        response.headers["Idempotency-Replayed"] = replayed
    return response


def _is_decided(order: OrderSnapshot) -> bool:
    return order.status is not OrderStatus.PLACED or bool(order.holds)


def _customer(caller: Principal, wanted: NewOrder) -> str:
    if caller.may("orders:write"):
        if wanted.customer_id is None:
            raise invalid("#/customer_id", "missing", "A service names the customer")
        if not is_subject(wanted.customer_id):
            raise invalid("#/customer_id", "reserved", "No customer has such a name")
        return wanted.customer_id
    if wanted.customer_id not in (None, caller.subject):
        raise Problem("insufficient-scope", "You order for yourself.")
    return caller.subject


_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?", re.ASCII | re.IGNORECASE)


def _wait_seconds(prefer: str | None) -> int:
    """RFC 7240: a preference that is not understood is ignored."""
    for preference in (prefer or "").split(","):
        if found := _WAIT.fullmatch(preference.partition(";")[0].strip()):
            return min(int(found[1]), LONGEST_WAIT_SECONDS)
    return 0


def _matches(header: str, current: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or current in tags
