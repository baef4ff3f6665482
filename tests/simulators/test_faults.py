"""What the provider can be told to do wrong."""

import asyncio

import pytest
import stripe

from tests.simulators.receiver import Receiver
from tests.simulators.shop import Shop, new_key

CREATE = "POST /v1/payment_intents$"


async def test_a_dropped_answer_hides_an_effect_that_the_key_brings_back(
    shop: Shop,
) -> None:
    key, order = new_key(), new_key()
    await shop.switch_on("drop_answer", CREATE, count=1)
    with pytest.raises(stripe.APIConnectionError):
        await shop.intent(key=key, metadata={"order": order})
    assert len(await _intents_of(shop, order)) == 1
    again = await shop.intent(key=key, metadata={"order": order})
    assert [i["payment_intent"] for i in await _intents_of(shop, order)] == [again.id]


async def test_a_provider_that_is_down_does_nothing(shop: Shop) -> None:
    order = new_key()
    await shop.switch_on("down", CREATE, count=1)
    with pytest.raises(stripe.APIConnectionError):
        await shop.intent(metadata={"order": order})
    assert await _intents_of(shop, order) == []


async def test_an_error_before_the_effect_is_not_remembered(shop: Shop) -> None:
    key = new_key()
    await shop.switch_on("error", CREATE, count=1)
    with pytest.raises(stripe.APIError):
        await shop.intent(key=key)
    assert (await shop.intent(key=key)).status == "requires_capture"


@pytest.mark.parametrize(
    ("kind", "effects"), [("stored_error", 0), ("stored_error_after_effect", 1)]
)
async def test_a_stored_error_is_replayed_for_its_key(
    shop: Shop, kind: str, effects: int
) -> None:
    key, order = new_key(), new_key()
    await shop.switch_on(kind, CREATE, count=1)
    for _ in range(3):
        with pytest.raises(stripe.APIError) as error:
            await shop.intent(key=key, metadata={"order": order})
        assert error.value.http_status == 500
    assert len(await _intents_of(shop, order)) == effects
    assert (await shop.intent(metadata={"order": order})).status == "requires_capture"


async def test_a_slow_answer_comes_after_its_effect(
    shop: Shop, receiver: Receiver
) -> None:
    order = new_key()
    await shop.switch_on("slow", CREATE, count=1, delay_ms=60_000)
    slow = asyncio.create_task(shop.intent(metadata={"order": order}))
    await receiver.wait_for(lambda r: r.is_about(order))
    assert not slow.done()
    slow.cancel()


async def test_too_many_requests_are_refused(shop: Shop) -> None:
    await shop.switch_on("rate_limit", "^GET /v1/events", count=1)
    with pytest.raises(stripe.RateLimitError):
        await shop.api.v1.events.list_async()
    await shop.api.v1.events.list_async()  # is answered


async def test_a_fault_strikes_only_where_it_was_aimed(shop: Shop) -> None:
    await shop.switch_on("error", "/capture$")
    intent = await shop.intent()
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await shop.capture(intent)
    await shop.control.delete("/_sim/faults")
    assert (await shop.capture(intent)).status == "succeeded"


async def test_a_seed_makes_chance_repeatable(shop: Shop) -> None:
    async def struck() -> list[int]:
        await shop.switch_on("rate_limit", "events$", probability=0.5, seed=7)
        answers = [(await shop.http.get("/v1/events")).status_code for _ in range(20)]
        await shop.control.delete("/_sim/faults")
        return answers

    first = await struck()
    assert set(first) == {200, 429}
    assert await struck() == first


async def test_several_faults_are_listed_with_what_is_left_of_them(
    shop: Shop,
) -> None:
    faults = [{"kind": "error", "count": 2, "path": "events"}, {"kind": "webhook_late"}]
    await shop.control.post("/_sim/faults", json=faults)
    await shop.http.get("/v1/events")
    listed = (await shop.control.get("/_sim/faults")).json()
    assert [(f["kind"], f["remaining"]) for f in listed] == [
        ("error", 1),
        ("webhook_late", None),
    ]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "flood"}, {"kind": "error", "path": "("}, {"kind": "error", "x": 1}],
)
async def test_a_fault_that_does_not_exist_is_refused(
    shop: Shop, fault: dict[str, object]
) -> None:
    assert (await shop.control.post("/_sim/faults", json=fault)).status_code == 422


async def _intents_of(shop: Shop, order: str) -> list[dict[str, object]]:
    books = (await shop.control.get("/_sim/books")).json()
    return [entry for entry in books if entry["metadata"].get("order") == order]
