"""(a) What one order costs, counted: no clock, no noise, the same on every machine."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx2
from devstack.services import Addresses
from devstack.temporal import NAMESPACE
from temporalio.client import Client

from benchmarks.counting import Histories, SqlLog, histories_of, settled_requests
from benchmarks.shop import PATIENCE_SECONDS, Shop, open_shop, sku
from benchmarks.system import running

ELSEWHERE = "LEIPZIG-1"
"""Lies at another location than everything else."""

Json = dict[str, Any]
Story = Callable[[Shop], Awaitable[Sequence[str]]]
"""Plays one order, and names the workflows that it had beside the order's own."""


THINKING_SECONDS = 0.5
"""Nobody packs a parcel at the moment in which it is planned."""


async def one_line(shop: Shop) -> tuple[str, ...]:
    return (f"order/{await shop.completed()}",)


async def five_lines(shop: Shop) -> tuple[str, ...]:
    return (f"order/{await shop.completed(*map(sku, range(1, 6)))}",)


async def split(shop: Shop) -> tuple[str, ...]:
    return (f"order/{await shop.completed(sku(1), ELSEWHERE)}",)


async def cancel(shop: Shop) -> tuple[str, ...]:
    order_id = await shop.confirmed()
    await shop.cancel(order_id)
    return (f"order/{order_id}",)


async def send_back(shop: Shop) -> tuple[str, ...]:
    """From POST to completed, and one unit of two comes back."""
    order_id = await shop.completed(quantity=2)
    return_id = await shop.send_back(order_id)
    await shop.until(order_id, "return.approved")
    await shop.receive(return_id)
    await shop.until(order_id, "return.closed")
    return (f"order/{order_id}", f"return/{return_id}")


STORIES: dict[str, Story] = {
    "one line": one_line,
    "five lines": five_lines,
    "split": split,
    "cancel": cancel,
    "return": send_back,
}


@dataclass(frozen=True)
class Cost:
    """Of one order, all its workflows together."""

    workflows: float
    events: float
    workflow_tasks: float
    activities: float
    history_bytes: float
    frontend_requests: float
    persistence_requests: float
    sql_statements: float
    sql_transactions: float
    by_operation: Json


async def measure(orders: int, stories: Sequence[str] = tuple(STORIES)) -> Json:
    """What an order of each story costs on average of so many."""
    async with running() as stack, open_shop(stack.at) as shop:
        shop.thinking_seconds = THINKING_SECONDS
        client = await Client.connect(stack.at.temporal, namespace=NAMESPACE)
        log = SqlLog(stack.at.database, stack.options.data / "logs" / "postgres.log")
        await log.start()
        await shop.stock(*map(sku, range(1, 6)))
        await shop.stock(ELSEWHERE, at="leipzig")
        await _play(shop, client, STORIES["one line"], 2)
        await _settle(shop)
        costs = {
            name: asdict(await _cost(stack.at, shop, client, log, name, orders))
            for name in stories
        }
    return {"orders": orders, "cost": costs}


async def _cost(
    at: Addresses, shop: Shop, client: Client, log: SqlLog, name: str, orders: int
) -> Cost:
    metrics = f"http://127.0.0.1:{at.ports.temporal_metrics}/metrics"
    async with httpx2.AsyncClient(trust_env=False) as http:
        before = await settled_requests(http, metrics)
        log.mark()
        ended = await _play(shop, client, STORIES[name], orders)
        await _settle(shop)
        after = await settled_requests(http, metrics)
    sql = log.since_mark()
    requests = after.since(before)
    total = Histories()
    for workflows in ended:
        for workflow_id in workflows:
            total = await histories_of(client, workflow_id, total)
    return Cost(
        workflows=total.workflows / orders,
        events=total.events / orders,
        workflow_tasks=total.workflow_tasks / orders,
        activities=total.activities / orders,
        history_bytes=total.bytes / orders,
        frontend_requests=requests.frontend.total() / orders,
        persistence_requests=requests.persistence.total() / orders,
        sql_statements=sql.statements.total() / orders,
        sql_transactions=sql.transactions.total() / orders,
        by_operation={
            "frontend": _each(requests.frontend, orders),
            "persistence": _each(requests.persistence, orders),
            "statements": _each(sql.statements, orders),
            "transactions": _each(sql.transactions, orders),
        },
    )


def _each(counted: Counter[str], orders: int) -> dict[str, float]:
    return {name: n / orders for name, n in counted.most_common() if n}


async def _play(
    shop: Shop, client: Client, story: Story, orders: int
) -> list[Sequence[str]]:
    """One after the other: two at once would share polls and batches."""
    ended = []
    for _ in range(orders):
        workflows = await story(shop)
        for workflow_id in workflows:
            await client.get_workflow_handle(workflow_id).result()
        ended.append(workflows)
    return ended


async def _settle(shop: Shop) -> None:
    """Until all mails are sent and all webhooks are worked off."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        # Nothing tells that a backlog is empty.
        while await shop.database.fetchval(_OPEN):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


_OPEN = """
SELECT (SELECT count(*) FROM messages WHERE status = 'open')
  + (SELECT count(*) FROM inbox WHERE processed_at IS NULL)
"""
