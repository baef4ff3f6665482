"""Endpoints hear of everything, at least once and in the order of each subject."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from api.kernel.delivery import attempts
from api.kernel.delivery.store import LeaseLost, Store
from api.kernel.feed.queries import FeedPage, Position, read_page
from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import CHANNEL
from sqlalchemy import text
from standardwebhooks import Webhook

from tests.api.shop import Json, Shop, eventually
from tests.support.receivers import HANGS, Heard, Receiver
from tests.webhooks.conftest import (
    ENDPOINTS,
    TOLD,
    Deliver,
    Happens,
    deliveries,
    endpoint_at,
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for days."""
    monkeypatch.setattr(attempts, "FIRST_PAUSE", timedelta(milliseconds=30))
    monkeypatch.setattr(attempts, "LONGEST_PAUSE", timedelta(milliseconds=200))
    monkeypatch.setattr("api.kernel.delivery.deliverer.FINISH_SECONDS", 0.2)


def seqs(heard: list[Heard], subject: str) -> list[int]:
    """Of a subject's events, in the order in which each was first accepted."""
    return list(dict.fromkeys(one.seq for one in heard if one.subject == subject))


async def state(shop: Shop, endpoint: Json) -> Json:
    return await shop.get(f"{ENDPOINTS}/{endpoint['id']}")


async def test_the_published_library_knows_what_we_signed(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    async with Receiver().listening() as receiver, deliver():
        endpoint = await endpoint_at(shop, receiver)
        path = f"{ENDPOINTS}/{endpoint['id']}"
        old = (await shop.get(f"{path}/secret"))["secret"]
        await shop.post(f"{path}/rotate-secret", {})
        new = (await shop.get(f"{path}/secret"))["secret"]
        await happen("ord_a")
        [heard] = await receiver.until_accepted(1)
    for secret in (old, new):
        event = Webhook(secret).verify(heard.body, dict(heard.headers))
        assert event["href"] == "/v1/orders/ord_a"
    [of_feed] = (await shop.get("/v1/events", types="order.*"))["data"]
    assert event == of_feed
    assert heard.id == of_feed["id"]


async def test_the_feed_is_read_only_while_an_endpoint_follows(
    shop: Shop, deliver: Deliver, happen: Happens, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    async def counted(*asked: Any) -> FeedPage:
        reads.append(asked)
        return await read_page(*asked)

    monkeypatch.setattr("api.kernel.delivery.tail.read_page", counted)
    async with Receiver().listening() as receiver, deliver():
        await happen("ord_unheard")
        assert reads == []
        for number in (1, 2):
            endpoint = await endpoint_at(shop, receiver)
            await happen(f"ord_{number}")
            await receiver.until_accepted(number)
            await shop.client.delete(f"{ENDPOINTS}/{endpoint['id']}")
        assert [one.subject for one in receiver.accepted] == ["ord_1", "ord_2"]


async def test_only_what_an_endpoint_wants_reaches_it(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    async with Receiver().listening() as receiver, deliver():
        await endpoint_at(shop, receiver, types=["refund.*", "order.placed"])
        for type in ("order.placed", "order.confirmed", "refund.failed", "hold.placed"):
            await happen("ord_a", type)
        heard = await receiver.until_accepted(2)
        assert [one.event["type"] for one in heard] == ["order.placed", "refund.failed"]


async def test_what_fails_is_tried_again_and_holds_only_its_subject_up(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    failures = 3

    def fails_at_first(heard: Heard) -> int:
        nonlocal failures
        if heard.subject == "ord_bad" and failures:
            failures -= 1
            return 500
        return 200

    async with Receiver(fails_at_first).listening() as receiver, deliver():
        endpoint = await endpoint_at(shop, receiver)
        await happen("ord_bad", count=3)
        await happen("ord_good", count=3)
        await receiver.until_accepted(6)
        assert seqs(receiver.accepted, "ord_bad") == [1, 2, 3]
        assert seqs(receiver.accepted, "ord_good") == [1, 2, 3]
        # Nothing of the subject was even tried before the first had arrived.
        bad = [one.seq for one in receiver.heard if one.subject == "ord_bad"]
        assert bad == [1, 1, 1, 1, 2, 3]

        async def all_done() -> list[Json]:
            found = await deliveries(shop.client, endpoint)
            done = [one for one in found if one["status"] == "succeeded"]
            return found if len(done) == 6 else []

        found = await eventually(all_done)
        assert {one["attempts"] for one in found} == {1, 4}


async def test_one_that_was_away_goes_on_where_it_was(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    receiver = Receiver()
    async with deliver():
        async with receiver.listening():
            endpoint = await endpoint_at(shop, receiver)
            await happen("ord_a")
            await receiver.until_accepted(1)
        for number in range(20):
            await happen(f"ord_{number}", count=20)

        async def is_down() -> bool:
            failures: int = (await state(shop, endpoint))["failures"]
            return failures >= attempts.DOWN_AFTER

        await eventually(is_down)
        async with receiver.listening():
            await receiver.until_accepted(401)
    for number in range(20):
        assert seqs(receiver.accepted, f"ord_{number}") == list(range(1, 21))
    assert (await state(shop, endpoint))["failing_since"] is None


async def test_attempts_side_by_side_take_an_endpoint_down_once(
    shop: Shop, deliver: Deliver, happen: Happens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say nothing new, so it is tried again in seconds and not in minutes."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):  # longer than this test
        monkeypatch.setattr(attempts, name, timedelta(minutes=1))
    async with Receiver(lambda _: 500).listening() as receiver:
        endpoint = await endpoint_at(shop, receiver)
        for number in range(attempts.DOWN_AFTER + 4):
            await happen(f"ord_{number}")

        async def failing() -> int:
            return int((await state(shop, endpoint))["failures"])

        async with deliver():
            assert await eventually(failing) == attempts.DOWN_AFTER


async def test_a_deliverer_that_dies_is_followed_by_another(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    receiver = Receiver(lambda heard: HANGS if heard.seq == 2 else 200)
    async with receiver.listening():
        async with deliver():
            await endpoint_at(shop, receiver)
            await happen("ord_a", count=4)
            await receiver.until(lambda: len(receiver.heard) == 2)
        receiver.behaviour = lambda _: 200
        async with deliver():
            await receiver.until_accepted(4)
    assert seqs(receiver.accepted, "ord_a") == [1, 2, 3, 4]


async def test_a_deliverer_leaves_to_another_what_that_one_has(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    async with Receiver().listening() as receiver, deliver(), deliver():
        await endpoint_at(shop, receiver)
        await happen("ord_a", count=50)
        await receiver.until_accepted(50)
    assert len(receiver.heard) == 50


async def test_a_deliverer_without_its_lease_moves_no_endpoint(
    shop: Shop, engine: Engine
) -> None:
    """It was silent for too long, and wakes up in the middle of a round."""
    endpoint = (await endpoint_at(shop, "http://127.0.0.1:9/"))["id"]
    late, successor = Store(engine, "late", {}), Store(engine, "successor", {})
    assert endpoint in await late.lease()
    at = (await late.look(endpoint, 1)).position
    await late.release()
    assert endpoint in await successor.lease()
    moved = (at, Position(at.transaction_id + 1, 1))
    with pytest.raises(LeaseLost):
        await late.settle(endpoint, [], attempts.HEALTHY, moved, recovered=False)
    assert (await successor.look(endpoint, 1)).position == at


async def test_what_is_gone_is_left_alone_until_somebody_enables_it(
    shop: Shop, deliver: Deliver, happen: Happens, engine: Engine
) -> None:
    async with Receiver(lambda _: 410).listening() as receiver, deliver():
        endpoint = await endpoint_at(shop, receiver)
        await happen("ord_a", count=3)

        async def has_failed() -> bool:
            return bool((await state(shop, endpoint))["status"] == "failed")

        await eventually(has_failed)
        assert [one.seq for one in receiver.heard] == [1]
        assert await messages(engine) == ["webhook_endpoint.gone"]
        receiver.behaviour = lambda _: 200
        await shop.post(f"{ENDPOINTS}/{endpoint['id']}/enable", {})
        await receiver.until_accepted(3)
        assert seqs(receiver.accepted, "ord_a") == [1, 2, 3]


async def test_after_three_days_one_delivery_is_given_up_and_its_owner_is_told(
    shop: Shop, deliver: Deliver, happen: Happens, engine: Engine
) -> None:
    def never_takes(heard: Heard) -> int:
        return 500 if (heard.subject, heard.seq) == ("ord_bad", 1) else 200

    async with Receiver(never_takes).listening() as receiver, deliver():
        endpoint = await endpoint_at(shop, receiver)
        await happen("ord_bad", count=2)
        await receiver.until(lambda: len(receiver.heard) > 1)
        await happen("ord_good")  # it does answer
        await receiver.until_accepted(1)
        await days_pass(engine, endpoint)
        await receiver.until_accepted(2)
        assert seqs(receiver.accepted, "ord_bad") == [2]

        async def given_up() -> list[Json]:
            path = f"{ENDPOINTS}/{endpoint['id']}/deliveries"
            found: list[Json] = (await shop.get(path, status="failed"))["data"]
            return found

        [failed] = await eventually(given_up)
        assert (failed["response_status"], failed["subject"]) == (500, "ord_bad")
        assert await messages(engine) == ["webhook_delivery.failed"]
        assert (await state(shop, endpoint))["status"] == "enabled"


async def test_after_three_days_without_any_answer_the_endpoint_has_failed(
    shop: Shop,
    deliver: Deliver,
    happen: Happens,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "LONGEST_PAUSE", timedelta(minutes=1))
    async with Receiver(lambda _: 503).listening() as receiver, deliver():
        endpoint = await endpoint_at(shop, receiver)
        await happen("ord_a", count=2)

        async def rests() -> bool:
            until = (await deliveries(shop.client, endpoint))[-1:]
            return bool(until) and seconds_until(until[0]["next_attempt_at"]) > 0.5

        await eventually(rests)
        await days_pass(engine, endpoint)

        async def has_failed() -> bool:
            return bool((await state(shop, endpoint))["status"] == "failed")

        await eventually(has_failed)
        assert await messages(engine) == ["webhook_endpoint.failed"]
        receiver.behaviour = lambda _: 200
        await shop.post(f"{ENDPOINTS}/{endpoint['id']}/enable", {})
        await receiver.until_accepted(2)
        assert seqs(receiver.accepted, "ord_a") == [1, 2]


async def test_one_is_sent_again_and_so_is_all_since_a_time(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    async with Receiver().listening() as receiver, deliver():
        endpoint = await endpoint_at(shop, receiver)
        path = f"{ENDPOINTS}/{endpoint['id']}"
        await happen("ord_a", count=3)
        heard = await receiver.until_accepted(3)
        first = heard[0].id

        async def settled() -> bool:
            return len(await deliveries(shop.client, endpoint)) == 3

        await eventually(settled)
        await shop.post(f"{path}/deliveries/{first}/redeliver", {})
        await receiver.until(lambda: len(receiver.heard) == 4)
        assert receiver.heard[3].id == first
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        await shop.post(f"{path}/redeliver", {"since": since})
        await receiver.until(lambda: len(receiver.heard) == 7)
        assert [one.seq for one in receiver.heard[4:]] == [1, 2, 3]


async def test_a_test_is_sent_at_once_and_shows_what_was_answered(
    shop: Shop, deliver: Deliver
) -> None:
    async with Receiver(lambda _: 418).listening() as receiver, deliver():
        receiver.answer = b"short\x00and stout " + b"x" * 5_000
        endpoint = await endpoint_at(shop, receiver)
        path = f"{ENDPOINTS}/{endpoint['id']}"
        sent = await shop.post(f"{path}/test", {})

        async def answered() -> Json | None:
            found = await shop.get(f"{path}/deliveries/{sent['id']}")
            return found if found["attempts"] else None

        found = await eventually(answered)
        assert found is not None
        assert (found["status"], found["response_status"]) == ("failed", 418)
        assert found["response_head"].startswith("short and stout xxx")
        assert len(found["response_head"]) <= 500
        assert len(receiver.heard) == 1


async def test_as_many_endpoints_hanging_as_answering_delay_nobody(
    shop: Shop, deliver: Deliver, happen: Happens
) -> None:
    hanging, well = Receiver(lambda _: HANGS), Receiver()
    async with hanging.listening(), well.listening(), deliver():
        for number in range(50):
            await endpoint_at(shop, hanging if number % 2 else well)
        await happen("ord_a", count=10)

        def all_heard() -> bool:
            return len(well.heard) == 25 * 10

        async with asyncio.timeout(12):  # an attempt at one that hangs takes 15
            await well.until(all_heard)
        assert not hanging.accepted


async def test_what_is_old_is_forgotten_and_so_is_all_of_a_deleted_endpoint(
    shop: Shop, deliver: Deliver, happen: Happens, engine: Engine
) -> None:
    async with Receiver().listening() as receiver, deliver() as deliverer:
        endpoints = [await endpoint_at(shop, receiver) for _ in range(2)]
        await happen("ord_a", count=2)

        async def settled() -> bool:
            found = [await deliveries(shop.client, one) for one in endpoints]
            return [len(one) for one in found] == [2, 2]

        await eventually(settled)
        async with engine.connect() as connection:
            await connection.execute(AGED, {"id": endpoints[0]["id"]})
        await shop.client.delete(f"{ENDPOINTS}/{endpoints[1]['id']}")
        assert await deliverer.forget() == 3
        assert len(await deliveries(shop.client, endpoints[0])) == 1


AGED = text(
    """
    UPDATE webhook_deliveries SET last_attempt_at = now() - interval '8 days'
    WHERE endpoint = :id AND event_id = (SELECT min(event_id) FROM webhook_deliveries)
    """
)


async def messages(engine: Engine) -> list[str]:
    async with engine.connect() as connection:
        return await connection.scalars(
            text("SELECT type FROM messages WHERE process = 'webhooks' ORDER BY seq")
        )


def seconds_until(moment: str | None) -> float:
    if moment is None:
        return 0.0
    return (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()


async def days_pass(engine: Engine, endpoint: Json) -> None:
    """For what is tried again."""
    async with engine.begin() as connection:
        for statement in (
            "UPDATE webhook_deliveries SET first_attempt_at = first_attempt_at -"
            " interval '3 days', due_at = now() WHERE endpoint = :id",
            "UPDATE webhook_endpoints SET failing_since = failing_since -"
            " interval '3 days 1 second', rests_until = NULL WHERE id = :id",
        ):
            await connection.execute(text(statement), {"id": endpoint["id"]})
        wake = {"on": CHANNEL, "subject": endpoint["id"]}
        await connection.execute(TOLD, wake)
