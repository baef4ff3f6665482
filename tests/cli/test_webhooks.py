"""Webhook endpoints by the command line, and events on a developer's own machine."""

import asyncio
import signal
import sys

from standardwebhooks import Webhook

from tests.cli.conftest import Orders
from tests.conftest import API
from tests.support.peers import Host
from tests.support.receivers import Receiver
from tests.support.shop import Shop

PUBLIC = "https://93.184.216.34/hooks"


async def test_an_endpoint_is_made_changed_and_deleted(orders: Orders) -> None:
    made = await orders(
        *("webhook-endpoint", "create", PUBLIC, "--owner", "erp@example.com"),
        *("--type", "order.*", "-o", "json"),
    )
    id = made.json["id"]
    command = ("webhook-endpoint", "change", id, "--type", "refund.*")
    assert "is changed" in (await orders(*command)).out
    assert "refund.*" in (await orders("webhook-endpoint", "show", id)).out
    assert id in (await orders("webhook-endpoint", "list")).out
    secret = (await orders("webhook-endpoint", "secret", id)).out.strip()
    await orders("webhook-endpoint", "rotate-secret", id, "--overlap", "1")
    rotated = (await orders("webhook-endpoint", "secret", id, "-o", "json")).json
    assert rotated["previous"] == secret
    assert "Nothing is sent" in (await orders("webhook-endpoint", "disable", id)).out
    refused = await orders("webhook-endpoint", "test", id)
    assert "Enable the endpoint first" in refused.err
    assert "is told on" in (await orders("webhook-endpoint", "enable", id)).out
    again = await orders("webhook-endpoint", "redeliver", id, "--since", "2h")
    assert "is sent once more" in again.out
    await orders("webhook-endpoint", "delete", id)
    assert "(not-found)" in (await orders("webhook-endpoint", "show", id)).err


async def test_a_private_address_is_for_orders_listen(orders: Orders) -> None:
    said = await orders(
        *("webhook-endpoint", "create", "https://localhost/hook"),
        *("--owner", "erp@example.com"),
    )
    assert "(private-address)" in said.err
    assert "orders listen --forward-to" in said.err


async def test_events_are_forwarded_signed_and_each_shows_its_answer(
    closed_shop: Shop, orders: Orders, host: Host
) -> None:
    answers = iter([200, 500])
    async with Receiver(lambda _: next(answers)).listening() as receiver:
        secret = "whsec_" + "A" * 40
        listening = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "listen", "--forward-to", receiver.url),
            *("--type", "shipment.*", "--secret", secret, "--after", "0-0"),
            env={"ORDERS_API_URL": f"{host.url}/{API}"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert listening.stdout is not None
        for type in ("order.placed", "shipment.shipped", "shipment.delivered"):
            made = await orders("trigger", type)
            assert type in made.out
        lines = [(await listening.stdout.readline()).decode() for _ in range(2)]
        listening.send_signal(signal.SIGINT)
        assert await listening.wait() == 0
    assert "shipment.shipped  dev_" in lines[0]
    assert " → 200  " in lines[0]
    assert " → 500  " in lines[1]
    heard = receiver.heard[0]
    event = Webhook(secret).verify(heard.body, dict(heard.headers))
    assert event["type"] == "shipment.shipped"


async def test_a_type_that_is_none_is_not_made_up(orders: Orders) -> None:
    assert "(unknown-event-type)" in (await orders("trigger", "order.eaten")).err
