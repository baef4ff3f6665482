"""Money that people give back: how much, who may, and what if the provider fails.

That the books balance, whatever happened, is asserted after every test.
"""

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.names import ORDERS, refund_workflow_id
from shared.contracts.orders.payloads import RefundRef
from shared.contracts.orders.states import MoneyStatus, OrderStatus
from shared.contracts.orders.workflows import Sweep

from tests.conftest import Work
from tests.support.returns import (
    CLERK,
    FINANCE,
    arrived,
    decide,
    give_back,
    paid_back,
    refund_waits,
    refunded,
)
from tests.support.shop import PRICES, SHIPPING, Refused, Shop, When

TEA = PRICES["TEA"]
GONG = PRICES["GONG"]

SUCCEEDED, FAILED = MoneyStatus.SUCCEEDED, MoneyStatus.FAILED

REFUND = "POST /v1/refunds"


# ── how much ────────────────────────────────────────────────────────────────────────


async def test_lines_are_given_back_at_their_price(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=3)
    refund = await give_back(shop, order_id, reason="damaged", lines={1: 2})
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    order = await shop.order(order_id)
    assert refund["amount"]["amount"] == 2 * TEA == await paid_back(shop)
    assert order.line(1).credited == 2


async def test_what_is_paid_and_not_shipped_can_be_given_back(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=2)
    await shop.pack(order_id)
    refund = await give_back(shop, order_id, reason="price", lines={1: 1})
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    # What was given back is not given back again with the cancellation.
    await shop.cancel(order_id)
    await shop.ended(order_id)
    assert await paid_back(shop) == 2 * TEA + SHIPPING


async def test_an_amount_is_goodwill(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    refund = await give_back(shop, order_id, amount=500)
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    order = await shop.order(order_id)
    assert (order.goodwill, await paid_back(shop)) == (500, 500)


async def test_the_shipping_is_given_back_once(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    refund = await give_back(shop, order_id, shipping=True)
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    with pytest.raises(Refused) as refused:
        await give_back(shop, order_id, shipping=True)
    assert refused.value.code == "exceeds-refundable"
    assert await paid_back(shop) == SHIPPING


async def test_a_refund_is_spread_over_several_payments(shop: Shop) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place(TEA=3)
    await shop.shipped(order_id, at="berlin")
    await shop.shipped(order_id, at="munich")
    refund = await give_back(
        shop, order_id, reason="damaged", lines={1: 3}, shipping=True
    )
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    order = await shop.order(order_id)
    shares = sorted(payment.refunded for payment in order.payments if payment.captured)
    assert shares == [TEA, 2 * TEA + SHIPPING]


async def test_what_went_back_so_far_is_seen_while_the_rest_is_under_way(
    shop: Shop,
) -> None:
    await shop.stock(at="berlin", TEA=2)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place(TEA=3)
    await shop.shipped(order_id, at="berlin")
    await shop.shipped(order_id, at="munich")
    path = f"/v1/orders/{order_id}"
    assert (await shop.get(path))["payment_status"] == "captured"
    with shop.payments.gate(REFUND, after_effect=True) as first:
        refund = await give_back(shop, order_id, reason="damaged", lines={1: 3})
        await first.reached.wait()
        with shop.payments.gate(REFUND) as second:
            first.open()
            await second.reached.wait()
            assert (await shop.get(path))["payment_status"] == "partially_refunded"
    await refunded(shop, order_id, refund["id"], SUCCEEDED)


async def test_more_than_was_paid_is_refused(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    await give_back(shop, order_id, amount=1_000)
    with pytest.raises(Refused) as refused:
        await give_back(shop, order_id, amount=TEA + SHIPPING)
    assert refused.value.code == "exceeds-refundable"
    assert refused.value.problem["refundable"] == TEA + SHIPPING - 1_000


async def test_a_line_is_not_given_back_twice(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=2)
    await give_back(shop, order_id, reason="damaged", lines={1: 1})
    with pytest.raises(Refused) as refused:
        await give_back(shop, order_id, reason="damaged", lines={1: 2})
    assert refused.value.code == "exceeds-refundable"


async def test_the_same_request_has_one_effect(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    again = {**CLERK, "Idempotency-Key": "refund-1"}
    first = await give_back(shop, order_id, amount=500, by=again)
    second = await give_back(shop, order_id, amount=500, by=again)
    await refunded(shop, order_id, first["id"], SUCCEEDED)
    assert first["id"] == second["id"]
    assert await paid_back(shop) == 500


# ── who may ─────────────────────────────────────────────────────────────────────────


async def test_above_the_limit_a_second_person_decides(shop: Shop) -> None:
    order_id = await arrived(shop, MUG=11)
    refund = await give_back(shop, order_id, amount=10_001)
    assert refund["hold"]["reason"] == "refund"
    with pytest.raises(Refused) as refused:
        await decide(shop, refund["id"], "approve", by=CLERK)
    assert refused.value.code == "four-eyes"
    assert await paid_back(shop) == 0
    await decide(shop, refund["id"], "approve", by=FINANCE)
    done = await refunded(shop, order_id, refund["id"], SUCCEEDED)
    assert (done.requested_by, done.approved_by) == ("clerk", "finance")
    assert await paid_back(shop) == 10_001


async def test_the_limit_holds_for_lost_goods_too(shop: Shop) -> None:
    """A parcel's hold is decided by more people than may refund."""
    await shop.stock(MUG=11)
    order_id = await shop.place(MUG=11)
    shipment_id = await shop.shipped(order_id)
    await shop.scan(order_id, shipment_id, "lost")
    hold = await shop.held(order_id, HoldReason.DELIVERY)
    path, body = f"/v1/holds/{hold.id}/release", {"decision": "refund", "note": "Lost."}
    with pytest.raises(Refused) as refused:
        await shop.post(path, body, **CLERK | {"X-Dev-Scopes": "orders:operate"})
    assert refused.value.code == "insufficient-scope"
    await shop.post(path, body, **CLERK)
    order = await shop.until(order_id, lambda o: o.refunds)
    (refund,) = order.refunds
    await shop.until(order_id, refund_waits(refund.id))
    assert await paid_back(shop) == 0
    await decide(shop, refund.id, "approve", by=FINANCE)
    done = await refunded(shop, order_id, refund.id, SUCCEEDED)
    assert (done.requested_by, done.approved_by) == ("clerk", "finance")


async def test_nobody_pays_back_an_order_of_their_own(shop: Shop) -> None:
    await shop.stock(TEA=2)
    order_id = await shop.place(TEA=2, customer="clerk")
    await shop.delivered(order_id)
    await shop.ended(order_id)
    with pytest.raises(Refused) as refused:
        await give_back(shop, order_id, amount=1)
    assert refused.value.code == "four-eyes"
    sent_back = await shop.post(
        f"/v1/orders/{order_id}/returns",
        {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]},
    )
    received = {"lines": [{"line": 1, "accepted": 1, "disposition": "restock"}]}
    with pytest.raises(Refused) as refused:
        await shop.post(f"/v1/returns/{sent_back['id']}/receive", received, **CLERK)
    assert refused.value.code == "four-eyes"


async def test_many_small_refunds_of_one_clerk_are_a_large_one(shop: Shop) -> None:
    order_id = await arrived(shop, MUG=11)
    small = await give_back(shop, order_id, amount=6_000)
    next_one = await give_back(shop, order_id, amount=4_001)
    another_clerks = await give_back(shop, order_id, amount=100, by=FINANCE)
    assert small["hold"] is another_clerks["hold"] is None
    assert next_one["hold"]["reason"] == "refund"


async def test_what_was_rejected_was_not_given(shop: Shop) -> None:
    order_id = await arrived(shop, MUG=11)
    too_much = await give_back(shop, order_id, amount=10_001)
    await decide(shop, too_much["id"], "reject")
    assert (await give_back(shop, order_id, amount=500))["hold"] is None


async def test_a_refund_that_is_rejected_takes_everything_back(shop: Shop) -> None:
    order_id = await arrived(shop, MUG=11)
    before = await shop.order(order_id)
    refund = await give_back(
        shop, order_id, reason="damaged", lines={1: 11}, shipping=True
    )
    await decide(shop, refund["id"], "reject")
    order = await shop.order(order_id)
    await shop.refund(refund["id"]).result()
    assert order.refund(refund["id"]).status is FAILED
    assert order.refundable == before.refundable
    assert order.lines == before.lines
    assert (order.shipping_credited, order.goodwill) == (0, 0)
    assert await paid_back(shop) == 0


async def test_cancelling_the_order_does_not_approve_its_refunds(shop: Shop) -> None:
    order_id = await shop.confirmed(MUG=11)
    await shop.pack(order_id)
    refund = await give_back(shop, order_id, amount=10_001)
    await shop.cancel(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.CANCELLED
    assert order.hold(HoldReason.REFUND, refund["id"]) is not None
    assert await paid_back(shop) == order.captured - 10_001


async def test_a_customer_sees_their_own_refunds_only(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    refund = await give_back(shop, order_id, amount=500)
    order = await shop.order(order_id)
    path, scope = f"/v1/refunds/{refund['id']}", {"X-Dev-Scopes": "orders:own"}
    own = await shop.http.get(path, headers={"X-Dev-User": order.customer} | scope)
    others = await shop.http.get(path, headers={"X-Dev-User": "somebody"} | scope)
    assert own.json()["id"] == refund["id"]
    assert others.status_code == 404
    assert order_id not in others.text


# ── what the provider makes of it ───────────────────────────────────────────────────


async def failed_later(shop: Shop) -> tuple[str, str]:
    """The provider had paid, and the customer's bank sent it back, long after the order
    was over."""
    order_id = await arrived(shop, "pm_card_refundFail", TEA=1)
    await shop.ended(order_id)
    refund = await give_back(shop, order_id, amount=500)
    assert await shop.refund(refund["id"]).result()
    await shop.payments.advance(3601)
    order = await shop.until(order_id, refund_waits(refund["id"]))
    assert order.refund(refund["id"]).status is FAILED
    assert (order.payments[0].refunding, order.payments[0].refunded) == (500, 0)
    return order_id, refund["id"]


async def test_a_refund_that_fails_later_is_owed_again(shop: Shop) -> None:
    order_id, refund_id = await failed_later(shop)
    await decide(shop, refund_id, "retry")
    await refunded(shop, order_id, refund_id, SUCCEEDED)
    order = await shop.order(order_id)
    attempts = [row.attempt for row in order.payments[0].ledger if row.ref == refund_id]
    assert sorted(attempts) == [1, 2]


async def test_a_failed_refund_can_be_paid_otherwise(shop: Shop) -> None:
    order_id, refund_id = await failed_later(shop)
    await decide(shop, refund_id, "paid_otherwise")
    await refunded(shop, order_id, refund_id, SUCCEEDED)
    order = await shop.order(order_id)
    assert order.payments[0].refunded == 500
    assert await paid_back(shop) == 0


async def test_a_failed_refund_can_be_given_up(shop: Shop) -> None:
    order_id, refund_id = await failed_later(shop)
    await decide(shop, refund_id, "reject")
    order = await shop.order(order_id)
    assert (order.refundable, order.goodwill) == (order.captured, 0)


async def test_a_cancellations_refund_fails_after_the_order_has_ended(
    shop: Shop,
) -> None:
    order_id = await shop.confirmed("pm_card_refundFail", TEA=1)
    await shop.pack(order_id)
    refund_id = (await shop.cancel(order_id))["refund_id"]
    await shop.ended(order_id)
    await shop.payments.advance(3601)
    await shop.until(order_id, refund_waits(refund_id))
    await decide(shop, refund_id, "retry")
    await refunded(shop, order_id, refund_id, SUCCEEDED)


async def test_a_refused_refund_waits_for_a_person(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    # Support has given all of it back at the provider, and nobody told us.
    (book,) = await shop.payments.books()
    answer = await shop.payments.http.post(
        "/v1/refunds",
        data={"payment_intent": book["payment_intent"]},
        headers={"Authorization": "Bearer sk_test_core"},
    )
    assert answer.is_success, answer.text
    refund = await give_back(shop, order_id, amount=500)
    order = await shop.until(order_id, refund_waits(refund["id"]))
    assert order.refund(refund["id"]).status is FAILED
    await decide(shop, refund["id"], "paid_otherwise")
    await refunded(shop, order_id, refund["id"], SUCCEEDED)


async def test_a_slow_refund_is_settled_when_the_provider_says_so(shop: Shop) -> None:
    order_id = await arrived(shop, "pm_card_pendingRefund", TEA=1)
    refund = await give_back(shop, order_id, amount=500)
    order = await shop.until(order_id, at_the_provider(refund["id"]))
    assert order.refund(refund["id"]).status is MoneyStatus.PENDING
    await shop.payments.advance(3601)
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    assert await paid_back(shop) == 500


async def test_what_is_under_way_at_the_provider_cannot_be_rejected(shop: Shop) -> None:
    order_id = await arrived(shop, "pm_card_pendingRefund", MUG=11)
    refund = await give_back(shop, order_id, amount=10_001)
    # Somebody approved, and the hold was put back while the provider is at it.
    await decide(shop, refund["id"], "approve")
    await shop.until(order_id, at_the_provider(refund["id"]))
    await shop.fetch(
        "UPDATE holds SET released_at = NULL, decision = NULL WHERE subject = :id",
        id=refund["id"],
    )
    with pytest.raises(Refused) as refused:
        await decide(shop, refund["id"], "reject")
    assert refused.value.code == "wrong-state"


def at_the_provider(refund_id: str) -> When:
    return lambda order: any(
        row.ref == refund_id and row.provider_ref
        for payment in order.payments
        for row in payment.ledger
    )


# ── a lost workflow ─────────────────────────────────────────────────────────────────


async def test_the_sweep_starts_a_lost_refund_again(shop: Shop) -> None:
    order_id = await arrived(shop, "pm_card_pendingRefund", TEA=1)
    refund = await give_back(shop, order_id, amount=500)
    await shop.lose(shop.refund(refund["id"]))
    await shop.fetch("UPDATE refunds SET created_at = created_at - interval '1 hour'")
    await shop.client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)
    await shop.payments.advance(3601)
    await refunded(shop, order_id, refund["id"], SUCCEEDED)
    assert await paid_back(shop) == 500


async def test_a_decision_revives_a_lost_refund(shop: Shop) -> None:
    order_id = await arrived(shop, MUG=11)
    refund = await give_back(shop, order_id, amount=10_001)
    await shop.refund(refund["id"]).terminate()
    await decide(shop, refund["id"], "approve")
    await refunded(shop, order_id, refund["id"], SUCCEEDED)


async def test_nothing_runs_for_a_refund_that_was_refused(shop: Shop) -> None:
    order_id = await arrived(shop, TEA=1)
    refund_id = f"ref_{'0' * 26}"
    with pytest.raises(Refused):
        await give_back(shop, order_id, amount=99_999)
    end = await shop.client.execute_workflow(
        "Refund",
        RefundRef(order_id=order_id, refund_id=refund_id),
        id=refund_workflow_id(refund_id),
        task_queue=ORDERS,
    )
    assert end == {"succeeded": False}


async def test_the_limit_is_a_setting(closed_shop: Shop, work: Work) -> None:
    async with work(refund_limit="10000 EUR=0"):
        order_id = await arrived(closed_shop, TEA=1)
        refund = await give_back(closed_shop, order_id, amount=1)
        assert refund["hold"] is not None
