"""A simulator may be killed at any moment, and forgets nothing."""

import signal
from pathlib import Path

from tests.simulators.conftest import WEBHOOK_SECRET
from tests.simulators.process import running
from tests.simulators.receiver import Receiver
from tests.simulators.shop import Shop, new_key, plain_http


async def test_a_killed_provider_keeps_its_books_its_keys_and_its_webhooks(
    tmp_path: Path, receiver: Receiver
) -> None:
    options = ("--webhook-url", receiver.url, "--webhook-secret", WEBHOOK_SECRET)
    async with running("payments", tmp_path / "p.sqlite", *options) as simulator:
        key = new_key()
        async with Shop.open(simulator.url) as shop:
            await shop.switch_on("webhook_late", delay_ms=700)
            intent = await shop.intent(key=key)
            await shop.capture(intent, 3000)
            await shop.refund(intent, 1000)
            before = await shop.books(intent)
            await simulator.end(signal.SIGKILL)
            await simulator.start()
            assert await shop.books(intent) == before
            assert (before["captured"], before["refunded"]) == (3000, 1000)
            assert (await shop.intent(key=key)).id == intent.id
        await receiver.wait_for(
            lambda r: r.event["type"] == "charge.refunded" and r.is_about(intent.id)
        )


async def test_a_killed_provider_keeps_its_appointments_and_its_faults(
    tmp_path: Path,
) -> None:
    refunds = ("--refund-seconds", "3600")
    async with (
        running("payments", tmp_path / "p.sqlite", *refunds) as simulator,
        Shop.open(simulator.url) as shop,
    ):
        refund = await shop.refund(await shop.captured("pm_card_pendingRefund"))
        await shop.switch_on("rate_limit", "nothing")
        await shop.advance(10)
        await simulator.end(signal.SIGKILL)
        await simulator.start()
        assert len((await shop.control.get("/_sim/faults")).json()) == 1
        await shop.advance(3591)
        seen = await shop.api.v1.refunds.retrieve_async(refund.id)
        assert seen.status == "succeeded"


async def test_a_reset_provider_is_as_new(tmp_path: Path) -> None:
    async with (
        running("payments", tmp_path / "p.sqlite") as simulator,
        Shop.open(simulator.url) as shop,
    ):
        await shop.intent()
        await shop.switch_on("error")
        await shop.advance(100)
        await shop.control.post("/_sim/reset")
        assert (await shop.control.get("/_sim/books")).json() == []
        assert (await shop.control.get("/_sim/faults")).json() == []
        clock = (await shop.control.get("/_sim/clock")).json()
        assert clock["ahead_seconds"] == 0


async def test_a_seed_means_the_same_after_a_reset(tmp_path: Path) -> None:
    async with (
        running("payments", tmp_path / "p.sqlite") as simulator,
        Shop.open(simulator.url) as shop,
    ):
        drawn = []
        for _ in range(2):
            await shop.switch_on("rate_limit", "events$", probability=0.5, seed=7)
            answers = [await shop.http.get("/v1/events") for _ in range(20)]
            drawn.append([answer.status_code for answer in answers])
            await shop.control.post("/_sim/reset")
        assert drawn[0] == drawn[1]


async def test_a_simulator_ends_cleanly_when_asked_to(tmp_path: Path) -> None:
    async with (
        running("carrier", tmp_path / "c.sqlite", "--no-auto") as simulator,
        plain_http(simulator.url) as http,
    ):
        assert (await http.get("/_sim/health")).json()["status"] == "ok"
        assert await simulator.end(signal.SIGTERM) == 0
