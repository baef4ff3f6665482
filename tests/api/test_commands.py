"""Commands on live orders: carried out once, refused with a reason, or asked again."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx2
import pytest
from api.app import create_app
from shared.contracts.orders.names import ORDERS, order_workflow_id
from shared.contracts.orders.payloads import OrderRef
from shared.contracts.orders.workflows import Order
from shared.database.engine import Engine
from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from tests.api.conftest import MakeSettings, running
from tests.api.shop import (
    ADDRESS,
    PARCEL,
    PRICE,
    SHIPPING,
    SKU,
    Shop,
    an_order,
    as_user,
    code,
    done,
    eur,
    eventually,
    key,
)
from tests.conftest import Work
from tests.support import infrastructure
from tests.support.peers import Peer

CANCEL = {"reason": "customer-request"}


async def test_a_parcel_is_packed_shipped_and_paid(stocked: Shop) -> None:
    order = await stocked.confirmed_order(2)
    assert order["payment_status"] == "authorized"
    packed = await stocked.pack(await stocked.shipment(order))
    assert (packed["status"], packed["label"]) == ("packed", True)
    path = f"/v1/shipments/{packed['id']}/ship"
    shipped = await stocked.post(path, {"carrier": "hand", "tracking": "T-1"})
    assert (shipped["status"], shipped["tracking"]) == ("shipped", "T-1")
    after = await stocked.get(f"/v1/orders/{order['id']}")
    assert after["payment_status"] == "captured"
    assert after["fulfillment_status"] == "fulfilled"
    assert after["totals"]["captured"] == eur(2 * PRICE + SHIPPING)


async def test_two_callers_may_use_one_key_for_a_command(stocked: Shop) -> None:
    order = await stocked.confirmed_order(3)
    path, same = f"/v1/orders/{order['id']}/cancellations", key()
    one = CANCEL | {"lines": [{"line": 1, "quantity": 1}]}
    for caller in ("grace", "omar"):
        headers = same | as_user(caller, "orders:operate")
        done(await stocked.client.post(path, json=one, headers=headers))
    after = await stocked.get(f"/v1/orders/{order['id']}")
    assert after["lines"][0]["cancelled"] == 2


async def test_a_parcel_shows_what_is_left_to_pack(stocked: Shop) -> None:
    """A line that was cancelled is refused in a packing: nobody is shown it."""
    await stocked.sell("SAUCER")
    await stocked.receive(1, "SAUCER")
    lines = [{"sku": "SAUCER", "quantity": 1}, {"sku": SKU, "quantity": 2}]
    order = await stocked.confirmed_order(3, lines=lines)
    cancelled = CANCEL | {"lines": [{"line": 1, "quantity": 1}]}
    await stocked.post(f"/v1/orders/{order['id']}/cancellations", cancelled)
    shipment = await stocked.shipment(order)
    assert [line["line"] for line in shipment["lines"]] == [2]
    (seen,) = (await stocked.get(f"/v1/orders/{order['id']}"))["shipments"]
    assert seen["lines"] == [{"line": 2, "quantity": 2}]
    assert (await stocked.pack(shipment))["status"] == "packed"


async def test_a_repeated_pack_is_one(stocked: Shop) -> None:
    shipment = await stocked.shipment(await stocked.confirmed_order(2))
    body = {"lines": [{"line": 1, "quantity": 2}], "parcel": PARCEL}
    path, same = f"/v1/shipments/{shipment['id']}/pack", key()
    answers = await asyncio.gather(
        *(stocked.client.post(path, json=body, headers=same) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    again = await stocked.client.post(path, json=body, headers=same)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_parcel_is_not_shipped_before_it_is_packed(stocked: Shop) -> None:
    shipment = await stocked.shipment(await stocked.confirmed_order())
    answer = await stocked.client.post(
        f"/v1/shipments/{shipment['id']}/ship", json={}, headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "wrong-state")


async def test_a_parcel_on_hold_is_not_packed(stocked: Shop) -> None:
    order = await stocked.confirmed_order(2)
    shipment = await stocked.shipment(order)
    await stocked.post(f"/v1/orders/{order['id']}/holds", {"note": "Wait."})
    assert (await stocked.shipment(order))["on_hold"] == ["manual"]
    body = {"lines": [{"line": 1, "quantity": 2}], "parcel": PARCEL}
    answer = await stocked.client.post(
        f"/v1/shipments/{shipment['id']}/pack", json=body, headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "on-hold")


async def test_a_parcel_can_be_given_up(stocked: Shop) -> None:
    shipment = await stocked.shipment(await stocked.confirmed_order())
    path = f"/v1/shipments/{shipment['id']}/cancel"
    cancelled = done(await stocked.client.post(path, headers=key()))
    assert cancelled["status"] == "cancelled"


async def test_shipments_are_listed_for_the_warehouse(stocked: Shop) -> None:
    orders = [await stocked.confirmed_order(1) for _ in range(3)]
    expected = [(await stocked.shipment(order))["id"] for order in orders]
    first = await stocked.get("/v1/shipments", status="ready", limit=2)
    rest = await stocked.get("/v1/shipments", limit=2, cursor=first["next_cursor"])
    assert [s["id"] for s in first["data"] + rest["data"]] == expected
    assert (await stocked.get("/v1/shipments", location="nowhere"))["data"] == []
    one = await stocked.get(f"/v1/shipments/{expected[0]}")
    assert one["order_number"] == orders[0]["number"]


async def test_an_order_is_cancelled_as_a_whole(stocked: Shop) -> None:
    order = await stocked.confirmed_order(2)
    path = f"/v1/orders/{order['id']}/cancellations"
    answer = await stocked.post(path, CANCEL | {"note": "Changed my mind."})
    assert answer["cancelled"] == [{"line": 1, "quantity": 2}]
    assert answer["order"]["status"] == "cancelled"
    again = await stocked.client.post(path, json=CANCEL, headers=key())
    assert again.status_code == 409
    assert code(again) == "already-cancelled"


async def test_some_lines_are_cancelled(stocked: Shop) -> None:
    order = await stocked.confirmed_order(3)
    answer = await stocked.post(
        f"/v1/orders/{order['id']}/cancellations",
        CANCEL | {"lines": [{"line": 1, "quantity": 1}]},
    )
    assert answer["order"]["status"] == "confirmed"
    assert answer["order"]["lines"][0]["cancelled"] == 1


async def test_what_has_left_is_not_cancelled(stocked: Shop) -> None:
    order = await stocked.confirmed_order(1)
    packed = await stocked.pack(await stocked.shipment(order))
    await stocked.post(f"/v1/shipments/{packed['id']}/ship", {})
    answer = await stocked.client.post(
        f"/v1/orders/{order['id']}/cancellations", json=CANCEL, headers=key()
    )
    assert (answer.status_code, code(answer)) == (409, "already-shipped")
    assert answer.json()["cancellable"] == []


async def test_a_note_stays_out_of_temporal(
    stocked: Shop, temporal: Client, engine: Engine
) -> None:
    order = await stocked.confirmed_order()
    await stocked.post(
        f"/v1/orders/{order['id']}/cancellations", CANCEL | {"note": "My cat is ill."}
    )
    history = await temporal.get_workflow_handle(
        order_workflow_id(order["id"])
    ).fetch_history()
    assert "cat" not in history.to_json()
    async with engine.connect() as connection:
        kept = await connection.scalar(text("SELECT text FROM notes"))
    assert kept == "My cat is ill."


async def test_another_card_is_tried(stocked: Shop) -> None:
    order = await stocked.post(
        "/v1/orders",
        _with_card("pm_card_chargeDeclined"),
        Prefer="wait=20",
    )
    assert [hold["reason"] for hold in order["holds"]] == ["payment"]
    path = f"/v1/orders/{order['id']}/payments"
    failed = await stocked.post(path, {"method": "pm_card_chargeDeclined"})
    assert failed["status"] == "failed"
    paid = await stocked.post(path, {"method": "pm_card_visa"})
    assert paid["status"] == "succeeded"
    await eventually(lambda: stocked.shipments(order))


async def test_a_method_that_nobody_has_tried_yet_is_a_new_version(shop: Shop) -> None:
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/payments"
    for _ in range(2):
        answer = await shop.client.post(
            path, json={"method": "pm_card_visa"}, headers=key("the-same")
        )
        assert (answer.status_code, code(answer)) == (503, "unavailable")
    after = await shop.get(f"/v1/orders/{order['id']}")
    assert len(after["payments"]) == len(order["payments"]) + 1
    assert after["version"] == order["version"] + 1


async def test_what_is_covered_is_not_paid_again(stocked: Shop) -> None:
    order = await stocked.confirmed_order()
    answer = await stocked.client.post(
        f"/v1/orders/{order['id']}/payments",
        json={"method": "pm_card_visa"},
        headers=key(),
    )
    assert (answer.status_code, code(answer)) == (409, "not-payable")


async def test_authentication_is_left_to_the_buyer(stocked: Shop) -> None:
    order = await stocked.post(
        "/v1/orders",
        _with_card(
            "pm_card_authenticationRequired", return_url="https://shop.example.com/back"
        ),
        Prefer="wait=20",
    )
    assert order["next_action"]["type"]


@pytest.fixture
async def workerless(
    temporal: Client, services: infrastructure.Services, make_settings: MakeSettings
) -> AsyncIterator[Shop]:
    settings = make_settings(
        temporal_host=services.temporal,
        temporal_namespace=temporal.namespace,
        api_command_timeout=timedelta(seconds=1),
    )
    async with running(create_app(settings)) as client:
        shop = Shop(client)
        await shop.sell()
        yield shop


async def test_without_a_worker_a_command_may_be_repeated(workerless: Shop) -> None:
    order = await workerless.order()
    path, same = f"/v1/orders/{order['id']}/cancellations", key()
    answers = [
        await workerless.client.post(path, json=CANCEL, headers=same) for _ in range(2)
    ]
    for answer in answers:
        assert (answer.status_code, code(answer)) == (503, "unavailable")
        assert answer.headers["retry-after"]
        assert "idempotency-replayed" not in answer.headers


async def test_a_command_without_an_answer_is_no_error_of_the_api(
    workerless: Shop, temporal: Client, caplog: pytest.LogCaptureFixture
) -> None:
    order = await workerless.order()
    workflow = await temporal.start_workflow(
        Order.run,
        OrderRef(order_id=order["id"]),
        id=order_workflow_id(order["id"]),
        task_queue=ORDERS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await workflow.terminate()
    path = f"/v1/orders/{order['id']}/cancellations"
    answer = await workerless.client.post(path, json=CANCEL, headers=key())
    assert (answer.status_code, code(answer)) == (503, "unavailable")
    gc.collect()  # asyncio tells of failures that nobody saw when they are collected
    assert [log.message for log in caplog.records if log.levelname == "ERROR"] == []


async def test_a_terminated_workflow_is_started_again(
    stocked: Shop, temporal: Client
) -> None:
    order = await stocked.confirmed_order(2)
    await temporal.get_workflow_handle(order_workflow_id(order["id"])).terminate()
    answer = await stocked.post(f"/v1/orders/{order['id']}/cancellations", CANCEL)
    assert answer["order"]["status"] == "cancelled"


async def test_a_parcel_whose_order_is_terminated_meanwhile_is_packed(
    stocked: Shop, temporal: Client, payments: Peer
) -> None:
    order = await stocked.confirmed_order()
    shipment = await stocked.shipment(order)
    with payments.gate("POST .*/capture") as provider:
        packing = asyncio.create_task(stocked.pack(shipment))
        await provider.reached.wait()
        handle = temporal.get_workflow_handle(order_workflow_id(order["id"]))
        await handle.terminate()
        done(
            await stocked.client.post(f"/v1/orders/{order['id']}/resume", headers=key())
        )
    assert (await packing)["status"] in ("packed", "ready")


async def test_a_command_is_asked_again_when_a_signal_keeps_the_order_from_ending(
    live_client: httpx2.AsyncClient, work: Work, temporal: Client, engine: Engine
) -> None:
    """Then the server drops the Update of the workflow task that cannot end it."""
    shop = Shop(live_client)
    await shop.sell()
    order = await shop.order()
    path = f"/v1/orders/{order['id']}/cancellations"
    async with AsyncExitStack() as open_transaction:
        somebody = await open_transaction.enter_async_context(engine.begin())
        await somebody.execute(
            text("UPDATE orders SET status = 'cancelled', reason = 'test'")
        )
        cancelling = asyncio.create_task(
            shop.client.post(path, json=CANCEL, headers=key())
        )
        await eventually(lambda: is_begun(engine))
        async with work():
            # The workflow's own first step, and the command.
            await eventually(lambda: are_kept_waiting(engine, 2))
            handle = temporal.get_workflow_handle(order_workflow_id(order["id"]))
            await handle.signal(Order.nudge)
            await open_transaction.aclose()
            answer = await cancelling
    assert answer.status_code == 409
    assert code(answer) == "already-cancelled"


async def is_begun(engine: Engine) -> bool:
    async with engine.connect() as connection:
        begun = await connection.scalar(
            text("SELECT EXISTS (SELECT FROM idempotency_keys WHERE status IS NULL)")
        )
    return bool(begun)


async def are_kept_waiting(engine: Engine, number: int) -> bool:
    async with engine.connect() as connection:
        waiting = await connection.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database() AND application_name = 'test'"
            )
        )
    return bool(waiting == number)


async def test_a_lost_answer_is_given_again_when_the_parcel_is_over(
    stocked: Shop, engine: Engine
) -> None:
    order = await stocked.confirmed_order(2)
    shipment = await stocked.shipment(order)
    path, same = f"/v1/shipments/{shipment['id']}/cancel", key()
    done(await stocked.client.post(path, headers=same))
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotency_keys"))
    again = done(await stocked.client.post(path, headers=same))
    assert again["status"] == "cancelled"
    another = await stocked.client.post(path, headers=key())
    assert (another.status_code, code(another)) == (409, "wrong-state")


async def forget_answers(engine: Engine, temporal: Client, workflow_id: str) -> None:
    """As if Temporal and the API had been killed before they wrote them down."""
    await temporal.get_workflow_handle(workflow_id).result()
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotency_keys"))
    await temporal.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        )
    )

    async def gone() -> bool:
        try:
            await temporal.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    await eventually(gone)


async def test_the_address_may_change_until_it_is_packed(stocked: Shop) -> None:
    order = await stocked.confirmed_order(1)
    path = f"/v1/orders/{order['id']}/contact"

    async def change(if_match: str | None, city: str = "Leipzig") -> httpx2.Response:
        headers = {} if if_match is None else {"If-Match": if_match}
        moved = {"ship_to": ADDRESS | {"city": city}}
        return await stocked.client.patch(path, json=moved, headers=headers)

    async def screened_again() -> bool:
        events = await stocked.get(f"/v1/orders/{order['id']}/events")
        return any(event["type"] == "order.screened" for event in events["data"])

    blind = await change(None)
    assert (blind.status_code, code(blind)) == (428, "precondition-required")
    stale = await change('"1"')
    assert (stale.status_code, code(stale)) == (412, "version-mismatch")
    seen = (await stocked.client.get(f"/v1/orders/{order['id']}")).headers["etag"]
    changed = await change(seen)
    assert changed.headers["etag"] == f'"{done(changed)["version"]}"'
    again = done(await change(seen))  # a repeat is no conflict
    assert again["version"] >= done(changed)["version"]
    await eventually(screened_again)
    await stocked.pack(await stocked.shipment(order))
    late = await change("*", city="Dresden")
    assert (late.status_code, code(late)) == (409, "already-packed")


async def test_a_parcel_without_a_label_says_so(stocked: Shop) -> None:
    order = await stocked.confirmed_order(1)
    shipment = await stocked.shipment(order)
    path = f"/v1/shipments/{shipment['id']}/label"
    before = await stocked.client.get(path)
    assert (before.status_code, code(before)) == (409, "no-label")
    await stocked.pack(shipment)
    by_hand = await stocked.client.get(path)
    assert (by_hand.status_code, code(by_hand)) == (409, "no-label")


async def test_a_shipment_that_is_not_there_is_not_found(shop: Shop) -> None:
    for shipment_id in ("shp_01k00000000000000000000000", "shp_", "%FF"):
        answer = await shop.client.get(f"/v1/shipments/{shipment_id}")
        assert (answer.status_code, code(answer)) == (404, "not-found")


def _with_card(method: str, **more: str) -> dict[str, object]:

    return an_order(2, payment={"method": method} | more)
