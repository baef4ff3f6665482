"""Who may do what: every identity against every operation of the OpenAPI document.

The table is what was decided, and not what the code does: a new operation fails here
until somebody has decided who may use it.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx2
import pytest
from api.__main__ import openapi_document
from api.app import create_app
from api.processes import PROCESSES, scopes
from fastapi import FastAPI
from shared.contracts.orders.links import LINK_ACTIONS

from tests.api.conftest import MakeSettings, running
from tests.api.shop import Shop, as_user, code, done, key
from tests.support.links import LINK_KEYS, by_link

SCOPES = scopes(PROCESSES)

STAFF = "orders:operate"
FINANCE = "refunds:any"
APPROVER = "approvals"
READERS = {"orders:read", STAFF, FINANCE, APPROVER}
CONTACTS = {"contacts:read", STAFF, APPROVER}
WEBHOOKS = {"webhooks:read", "webhooks:write"}
EVERYBODY = set(SCOPES)
RIGHTS: dict[str, set[str]] = {
    # orders
    "place_order": {"orders:own", "orders:write"},
    "list_orders": {"orders:own"} | READERS,
    "get_order": {"orders:own"} | READERS,
    # Of somebody's orders by their name: whoever may read both.
    "search_orders": {STAFF, APPROVER},
    "list_order_events": {"orders:own"} | READERS,
    "pay_order": {"orders:own", "orders:write"},
    "cancel_order": {"orders:own", STAFF},
    "get_contact": {"orders:own"} | CONTACTS,
    "change_contact": {"orders:own", STAFF},
    "list_order_messages": READERS,
    "resend_order_message": {STAFF},
    "list_notes": {"fulfil"} | CONTACTS,
    "add_note": {"fulfil", STAFF},
    "get_process": {STAFF},
    "resume_order": set(),
    "list_events": {"events:read"},
    # files: of movements for those who see the stock, of all else for readers
    "create_export": READERS | {"stock:read", "stock:write"},
    "list_exports": READERS | {"stock:read", "stock:write"},
    "get_export": READERS | {"stock:read", "stock:write"},
    "get_export_file": READERS | {"stock:read", "stock:write"},
    "delete_export": READERS | {"stock:read", "stock:write"},
    "get_me": EVERYBODY,
    # what others are told
    "list_webhook_endpoints": WEBHOOKS,
    "get_webhook_endpoint": WEBHOOKS,
    "list_deliveries": WEBHOOKS,
    "get_delivery": WEBHOOKS,
    "create_webhook_endpoint": {"webhooks:write"},
    "change_webhook_endpoint": {"webhooks:write"},
    "delete_webhook_endpoint": {"webhooks:write"},
    "disable_webhook_endpoint": {"webhooks:write"},
    "enable_webhook_endpoint": {"webhooks:write"},
    "get_webhook_secret": {"webhooks:write"},
    "rotate_webhook_secret": {"webhooks:write"},
    "test_webhook_endpoint": {"webhooks:write"},
    "redeliver_events": {"webhooks:write"},
    "redeliver": {"webhooks:write"},
    # returns and refunds
    "return_order": {"orders:own", STAFF},
    "list_returns": {"orders:own", "fulfil"} | READERS,
    "get_return": {"orders:own", "fulfil"} | READERS,
    "get_return_label": {"orders:own", "fulfil"} | READERS,
    "approve_return": {STAFF},
    "reject_return": {STAFF},
    "receive_return": {"fulfil"},
    # Whoever accepts goods sees what they pay back by it.
    "preview_return_refund": {"fulfil"} | READERS,
    "refund_order": {"refunds:write"},
    "get_refund": {"orders:own"} | READERS,
    # holds; which of them somebody may decide on is in tests/api/test_holds.py
    "list_holds": {STAFF, FINANCE, APPROVER},
    "get_hold": {STAFF, FINANCE, APPROVER},
    "place_hold": {STAFF},
    "assign_hold": {STAFF, FINANCE, APPROVER},
    "release_hold": {STAFF, FINANCE, APPROVER},
    # the warehouse
    "list_shipments": {"fulfil"} | READERS,
    "get_shipment": {"fulfil"} | READERS,
    "pack_shipment": {"fulfil"},
    "move_shipment": {"fulfil"},
    "ship_shipment": {"fulfil"},
    "relabel_shipment": {"fulfil"},
    "deliver_shipment": {"fulfil", STAFF},
    "cancel_shipment": {"fulfil", STAFF},
    "get_shipment_label": {"fulfil"},
    "get_pick_list": {"fulfil"},
    "get_packing_slips": {"fulfil"},
    "get_labels": {"fulfil"},
    "pack_shipments": {"fulfil"},
    "list_stock": {"fulfil", "stock:read", "stock:write"},
    "list_stock_movements": {"fulfil", "stock:read", "stock:write"},
    "receive_stock": {"stock:write"},
    "adjust_stock": {"stock:write"},
    "transfer_stock": {"stock:write"},
    "list_locations": {"fulfil", "stock:read", "stock:write", "locations:write"}
    | READERS,
    "get_location": {"fulfil", "stock:read", "stock:write", "locations:write"}
    | READERS,
    "put_location": {"locations:write"},
    # products
    "put_product": {"catalogue:write"},
    "get_product": EVERYBODY,
    "list_products": EVERYBODY,
    "list_shipping_methods": EVERYBODY,
    "get_shipping_method": EVERYBODY,
    "put_shipping_method": {"catalogue:write"},
    # money
    "list_discrepancies": {"money:read"},
    "resolve_discrepancy": {FINANCE},
    "book_discrepancy": {FINANCE},
    "list_disputes": {"money:read", FINANCE},
    "run_audit": {"money:read"},
    # people
    "erase_customer": set(),
}
"""Each scope that lets in by itself; `admin` always does."""
OPEN = {"list_problems", "get_problem", "receive_webhook"}
"""For whoever asks. A webhook's sender is known by a signature."""


BY_LINK = {
    "get_order": "read",
    "get_return": "read",
    "get_contact": "address",
    "change_contact": "address",
    "pay_order": "pay",
    "cancel_order": "cancel",
    "return_order": "return",
    "get_return_label": "return",
}
"""What a link in a mail has to name for it. What everybody known may do needs nothing
of it; all else it never does."""
WHOLE: dict[str, Any] = {
    "change_contact": {"ship_to": {"city": "Bonn"}},
    "pay_order": {"method": "pm_card_visa"},
    "cancel_order": {"reason": "customer-request"},
    "return_order": {"lines": [{"line": 1, "quantity": 1, "reason": "other"}]},
}
"""Bodies that would be carried out."""


class Operation(NamedTuple):
    id: str
    method: str
    path: str

    def of(self, order_id: str) -> "Operation":
        return self._replace(path=self.path.replace(NONE, order_id))

    async def ask(self, client: httpx2.AsyncClient, **sent: Any) -> httpx2.Response:
        return await client.request(self.method, self.path, **sent)


NONE = "ord_" + "0" * 26
"""The order in every path: there is none."""
IDS = {
    "order_id": "ord_",
    "return_id": "ret_",
    "refund_id": "ref_",
    "hold_id": "hld_",
    "shipment_id": "shp_",
    "discrepancy_id": "dis_",
    "endpoint_id": "whe_",
    "export_id": "exp_",
}


def operations() -> Iterator[Operation]:
    paths: dict[str, dict[str, Any]] = json.loads(openapi_document())["paths"]
    for path, methods in paths.items():
        place = path
        for name, prefix in IDS.items():
            place = place.replace(f"{{{name}}}", prefix + "0" * 26)
        for method, operation in methods.items():
            name = operation["operationId"]
            yield Operation(
                name, method.upper(), place.replace("{", "").replace("}", "")
            )


OPERATIONS = list(operations())


def test_somebody_has_decided_who_may_use_each_operation() -> None:
    assert {operation.id for operation in OPERATIONS} == RIGHTS.keys() | OPEN


async def test_each_operation_is_for_those_in_the_table(
    client: httpx2.AsyncClient,
) -> None:
    wrong = []
    for operation in OPERATIONS:
        if operation.id in OPEN:
            continue
        for scope in SCOPES:
            answer = await operation.ask(client, headers=as_user("ada", scope))
            allowed = scope in RIGHTS[operation.id] | {"admin"}
            refused = answer.status_code == 403
            if refused:
                assert code(answer) == "insufficient-scope"
            if refused is allowed or answer.status_code in (401, 500):
                wrong.append((operation.id, scope, answer.status_code))
    assert wrong == []


async def test_a_link_does_what_it_names_with_its_order_alone(
    make_settings: MakeSettings,
) -> None:
    wrong = []
    settings = make_settings(order_link_keys=LINK_KEYS)
    async with running(create_app(settings)) as client:
        shop = Shop(client)
        await shop.sell()
        own, other = [(await shop.order())["id"] for _ in range(2)]
        for operation in OPERATIONS:
            if operation.id in OPEN or RIGHTS[operation.id] is EVERYBODY:
                continue
            named = BY_LINK.get(operation.id)
            too_little = by_link(own, *(LINK_ACTIONS.keys() - {named}))
            refused = await operation.of(own).ask(client, headers=too_little)
            if refused.status_code != 403:
                wrong.append((operation.id, "not named", refused.status_code))
            if named is None:
                continue
            link, body = key() | by_link(own, named), WHOLE.get(operation.id)
            answer = await operation.of(own).ask(client, headers=link)
            if answer.status_code == 403:
                wrong.append((operation.id, named, answer.status_code))
            hidden = await operation.of(other).ask(client, headers=link, json=body)
            if hidden.status_code != 404:
                wrong.append((operation.id, "another order", hidden.status_code))
    assert wrong == []


@pytest.mark.parametrize(
    "scopes",
    ["", "openid", "Admin", "orders:own2", "orders", "link:read", "link:cancel"],
)
async def test_scopes_that_are_none_of_ours_open_nothing(
    client: httpx2.AsyncClient, scopes: str
) -> None:
    wrong = []
    for operation in OPERATIONS:
        if RIGHTS.get(operation.id, EVERYBODY) is EVERYBODY:
            continue
        answer = await operation.ask(client, headers=as_user("ada", scopes))
        if answer.status_code != 403:
            wrong.append((operation.id, answer.status_code))
    assert wrong == []


async def test_nobody_without_a_token_is_admitted(
    make_settings: MakeSettings,
) -> None:
    settings = make_settings(
        api_auth="oidc", oidc_issuer="https://id.example.com/", oidc_audience="orders"
    )
    async with running(create_app(settings)) as client:
        asked = {o.id: await o.ask(client) for o in OPERATIONS}
    refused = {id for id, answer in asked.items() if answer.status_code == 401}
    assert refused == RIGHTS.keys()


async def test_a_route_without_a_scope_still_needs_a_known_caller(
    make_settings: MakeSettings,
) -> None:
    """Somebody forgot who may use it: then everybody known, and not everybody."""
    settings = make_settings(
        api_auth="oidc", oidc_issuer="https://id.example.com/", oidc_audience="orders"
    )
    app: FastAPI = create_app(settings)

    @app.get("/v1/forgotten")
    async def forgotten() -> None: ...

    async with running(app) as client:
        assert (await client.get("/v1/forgotten")).status_code == 401


async def test_who_decides_sees_what_they_decide_on(shop: Shop) -> None:
    """And the order with its events; of the other holds nothing."""
    await shop.sell()
    order = await shop.order()
    for scope in (FINANCE, APPROVER):
        decider = as_user("flo", scope)
        for path in ("", "/events"):
            seen = f"/v1/orders/{order['id']}{path}"
            done(await shop.client.get(seen, headers=decider))
        done(await shop.client.get("/v1/holds", headers=decider))
