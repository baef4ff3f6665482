"""A customer is forgotten: what goes, what stays, and what has to be over before."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from api.processes import PROCESSES, scopes
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from temporalio.testing import ActivityEnvironment
from worker.orders.adapters.stripe import StripePayments
from worker.orders.upkeep.erasure import KEY_LIVES, ErasureActivities

from tests.privacy.scanning import rows_with, words_of
from tests.support.shop import ADDRESS, PERSONAL, Json, Refused, Shop, has_status

CUSTOMER = "customer-zebulina-0815"
THEMSELVES = {"X-Dev-User": CUSTOMER, "X-Dev-Scopes": "orders:own"}
ADMIN = {"X-Dev-User": "dpo", "X-Dev-Scopes": "admin"}
REFERENCE = "quibblethwaite-2026-11"
REMARK = "for Uncle Quibblethwaite's birthday"
CATEGORY = "tante-erna-0815"
ASSIGNEE = "Erna's nephew in Quickborn"
TELLING = words_of(PERSONAL) | {CUSTOMER, REFERENCE, REMARK, "pm_card_visa"}
TELLING |= {CATEGORY, ASSIGNEE}


async def a_whole_life(shop: Shop) -> str:
    """An order that its customer placed, paid for at the second try, cancelled a part
    and changed the address of, that a clerk held up, that came, and of which a part was
    sent back."""
    await shop.stock(TEA=2, MUG=1)
    order_id = await placed(shop, **(THEMSELVES | {"X-Dev-Scopes": "orders:write"}))
    await shop.held(order_id, HoldReason.PAYMENT)
    card = {
        "method": "pm_card_visa",
        "return_url": f"https://shop.example.com/{REFERENCE}",
    }
    await shop.post(f"/v1/orders/{order_id}/payments", card, **THEMSELVES)
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.cancel(order_id, {2: 1}, reason=CATEGORY, **THEMSELVES)
    await shop.correct_address(order_id)
    await shop.hold_up(order_id, by="clerk")
    hold = await shop.held(order_id, HoldReason.MANUAL)
    await shop.post(f"/v1/holds/{hold.id}/assign", {"assignee": ASSIGNEE})
    await shop.decide(order_id, HoldReason.MANUAL, "release", by="boss")
    await shop.delivered(order_id)
    await shop.ended(order_id)
    return order_id


async def placed(shop: Shop, **headers: str) -> str:
    def eur(amount: int) -> Json:
        return {"amount": amount, "currency": "EUR"}

    body = {
        "customer_id": CUSTOMER,
        "currency": "EUR",
        "external_ref": REFERENCE,
        "lines": [{"sku": "TEA", "quantity": 2}, {"sku": "MUG", "quantity": 1}],
        "shipping": {"method": "standard", "amount": eur(490)},
        "expected_total": eur(490 + 2 * 1290 + 990),
        "contact": {name: PERSONAL[name] for name in ("name", "email", "phone")},
        "ship_to": ADDRESS,
        "bill_to": ADDRESS,
        "payment": {
            "method": "pm_card_chargeDeclined",
            "return_url": f"https://shop.example.com/{REFERENCE}",
        },
        "metadata": {"remark": REMARK},
    }
    return str((await shop.post("/v1/orders", body, **headers))["id"])


async def sent_back_and_refunded(shop: Shop, order_id: str) -> None:
    lines = [{"line": 1, "quantity": 1, "reason": CATEGORY}]
    asked = await shop.post(
        f"/v1/orders/{order_id}/returns",
        {"lines": lines, "note": PERSONAL["note"]},
        **THEMSELVES,
    )
    accepted = [{"line": 1, "accepted": 1, "disposition": "restock"}]
    await shop.until(order_id, lambda o: o.returns[0].status == "approved")
    await shop.post(f"/v1/returns/{asked['id']}/receive", {"lines": accepted})
    await shop.until(order_id, lambda o: o.returns[0].status == "closed")


async def erase(shop: Shop, key: str | None = None) -> Json:
    headers = ADMIN | {"Idempotency-Key": key or str(uuid.uuid4())}
    return await shop.post("/v1/erasures", {"customer_id": CUSTOMER}, **headers)


async def exported(shop: Shop) -> str:
    """Where the file of all orders is."""
    asked = await shop.post("/v1/exports", {"kind": "orders"})
    while not (export := await shop.get(f"/v1/exports/{asked['id']}"))["file"]:
        await shop.fetch("SELECT pg_sleep(0.05)")
    return str(export["file"])


async def searched(shop: Shop) -> list[list[str]]:
    """The orders that are found by name, mail and reference."""
    known = (PERSONAL["name"], PERSONAL["email"], REFERENCE)
    answers = [await shop.post("/v1/orders/search", {"q": q}) for q in known]
    return [[order["id"] for order in answer["data"]] for answer in answers]


@pytest.fixture
async def at_provider(shop: Shop) -> AsyncIterator[ErasureActivities]:
    provider = StripePayments("sk_test_core", shop.payments.url)
    yield ErasureActivities(shop.engine, provider)
    await provider.close()


async def test_nothing_of_a_customer_is_left_in_the_database(
    shop: Shop, database: str, at_provider: ErasureActivities
) -> None:
    order_id = await a_whole_life(shop)
    await sent_back_and_refunded(shop, order_id)
    (paid,) = await shop.fetch(
        "SELECT DISTINCT customer_ref AS ref FROM payments WHERE order_id = :id",
        id=order_id,
    )
    before = await rows_with(database, TELLING | {paid.ref})
    assert {"contacts", "orders", "notes", "holds", "payments"} <= before.keys()
    assert {"events", "returns", "idempotency_keys"} <= before.keys()
    assert "stock_movements" in before
    money = await books(shop, order_id)
    assert await searched(shop) == [[order_id]] * 3
    file = await exported(shop)
    assert CUSTOMER in (await shop.http.get(file)).text

    erased = await erase(shop)
    assert (await shop.http.get(file)).status_code == 410
    assert await searched(shop) == [[]] * 3
    assert await books(shop, order_id) == money
    assert await erased_at_provider(shop, at_provider) == 1

    after = await rows_with(database, TELLING | {paid.ref})
    # The provider may have told already that its customer is no more.
    assert after in ({}, {"inbox": {paid.ref}})
    assert erased["orders"] == 1
    (order,) = await shop.fetch("SELECT customer, status FROM orders")
    assert (order.customer, order.status) == (erased["id"], "completed")
    assert (await shop.events(order_id))[-2:] == ["contact.erased", "customer.erased"]


async def erased_at_provider(shop: Shop, at_provider: ErasureActivities) -> int:
    """Once the provider has forgotten the key that it made the customer under."""
    await shop.fetch(
        "UPDATE ledger SET created_at = created_at - cast(:age AS interval)",
        age=KEY_LIVES + timedelta(minutes=1),
    )
    return (await ActivityEnvironment().run(at_provider.erase_at_provider)).found


async def test_an_order_with_work_left_keeps_its_customer(
    shop: Shop, database: str
) -> None:
    over, live = await cancelled(shop), await shop.confirmed(TEA=1)
    await shop.fetch("UPDATE orders SET customer = :id", id=CUSTOMER)
    with pytest.raises(Refused, match="still-needed") as refusal:
        await erase(shop)
    assert refusal.value.problem["orders"] == [live]
    assert "contact.erased" not in await shop.events(over)
    assert "contacts" in await rows_with(database, TELLING)


async def test_others_are_not_forgotten_with_them(shop: Shop) -> None:
    theirs, other = await cancelled(shop), await cancelled(shop)
    await called(shop, theirs)
    erased = await erase(shop)
    rows = await shop.fetch("SELECT order_id, email FROM contacts")
    assert {row.order_id: row.email for row in rows} == {
        theirs: None,
        other: PERSONAL["email"],
    }
    listed = await shop.get("/v1/orders", customer=erased["id"])
    assert [order["id"] for order in listed["data"]] == [theirs]


async def test_erased_twice_is_erased_once(shop: Shop) -> None:
    await called(shop, await cancelled(shop))
    first = await erase(shop, key="once")
    assert await erase(shop, key="once") == first
    with pytest.raises(Refused, match="not-found"):
        await erase(shop)


async def test_nothing_more_is_written_about_somebody_who_was_erased(
    shop: Shop, database: str
) -> None:
    order_id = await cancelled(shop)
    await called(shop, order_id)
    await erase(shop)
    body = {"reason": "customer-request", "note": PERSONAL["note"]}
    with pytest.raises(Refused, match="already-cancelled"):
        await shop.post(f"/v1/orders/{order_id}/cancellations", body)
    assert await rows_with(database, TELLING) == {}


async def test_a_repeat_that_comes_late_places_no_second_order(shop: Shop) -> None:
    await shop.stock(TEA=2, MUG=1)
    by_the_shop = {"X-Dev-User": "web-shop", "Idempotency-Key": "placed"}
    order_id = await placed(shop, **by_the_shop)
    await shop.cancel(order_id)
    await shop.ended(order_id)
    await erase(shop)
    assert await placed(shop, **by_the_shop) == order_id


async def test_the_provider_keeps_who_may_come_back_under_the_same_key(
    shop: Shop, at_provider: ErasureActivities
) -> None:
    await called(shop, await cancelled(shop))
    await erase(shop)
    done = await ActivityEnvironment().run(at_provider.erase_at_provider)
    assert done.found == 0
    assert await erased_at_provider(shop, at_provider) == 1
    assert await erased_at_provider(shop, at_provider) == 0


async def test_only_an_admin_erases(closed_shop: Shop) -> None:
    every = " ".join(scope for scope in scopes(PROCESSES) if scope != "admin")
    with pytest.raises(Refused, match="insufficient-scope"):
        await closed_shop.post(
            "/v1/erasures", {"customer_id": CUSTOMER}, **{"X-Dev-Scopes": every}
        )


async def cancelled(shop: Shop) -> str:
    order_id = await shop.confirmed(TEA=1)
    await shop.cancel(order_id)
    await shop.ended(order_id)
    return order_id


async def called(shop: Shop, order_id: str) -> None:
    await shop.fetch(
        "UPDATE orders SET customer = :customer WHERE id = :id",
        customer=CUSTOMER,
        id=order_id,
    )


async def books(shop: Shop, order_id: str) -> list[str]:
    """Whatever tells of money and goods, and of the time."""
    statements = (
        "SELECT ledger FROM ledger ORDER BY id",
        "SELECT refunds.amount, refunds.status, refunds.lines::text FROM refunds",
        "SELECT to_jsonb(l)::text AS line FROM order_lines l ORDER BY line",
        "SELECT key, sku, location, on_hand, reserved, reason, ref, at"
        " FROM stock_movements ORDER BY key",
        "SELECT seq, type, at, data::text FROM events"
        " WHERE type NOT LIKE '%erased' AND type <> 'hold.assigned'"
        " ORDER BY subject, seq",
    )
    rows = [str(row) for s in statements for row in await shop.fetch(s)]
    return [row.replace(CATEGORY, "erased") for row in rows]
