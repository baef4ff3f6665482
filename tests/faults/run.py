"""A fault run: orders and troubles at the same time, healing, and the proof."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx2
from devstack.subprocess import PartFailed
from pydantic import SecretStr
from shared.database.engine import connector
from shared.database.kernel.unit_of_work import CHANNEL, MESSAGES
from shared.database.listen import Listener
from shared.platform.settings import DatabaseSettings
from temporalio.client import Client
from temporalio.service import RPCError
from worker.orders.upkeep.unfinished import GRACE

from tests.faults.checker import findings
from tests.faults.evidence import Evidence, gather
from tests.faults.people import Story, Town, reference, stock_up
from tests.faults.plan import Trouble, wish
from tests.faults.receivers import Receivers
from tests.faults.system import System, running_system
from tests.faults.trouble import behave, inflict, misbehave

SWEEPS = ("sweep-orders", "reconcile")
"""The schedules that find what was missed. They run every 5 minutes and every hour;
a run that lasts minutes has them run when the troubles are over, and again for what
was missed meanwhile."""
SWEEP_AGAIN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Course:
    """What a run consists of. `orders` and `troubles` may be without end; what is
    longer than `seconds` is cut off, but for what has begun."""

    seed: int
    orders: Iterable[int]
    troubles: Iterable[Trouble]
    pauses: Iterable[float]
    seconds: float
    # Orders at once, and seconds between two of them.
    at_once: int
    gap_seconds: float
    # How long everything may take to come to rest, once nothing disturbs it.
    healing_seconds: float


@dataclass
class Report:
    seed: int
    placed: int = 0
    states: Counter[str] = field(default_factory=Counter)
    troubles: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    requests_lost: int = 0
    mails_repeated: int = 0
    healed_after_seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"seed {self.seed}"
        yield f"orders: {self.placed} placed; {_counted(self.states)}"
        yield f"troubles: {self.troubles}; {_counted(self.faults)}"
        yield f"requests sent again without an answer: {self.requests_lost}"
        yield f"commands refused: {_counted(self.refusals) or 'none'}"
        yield f"mails delivered again (same Message-ID): {self.mails_repeated}"
        yield f"at rest {self.healed_after_seconds:.0f} s after the last trouble"
        yield f"findings: {len(self.findings)}"
        yield from (f"  - {finding}" for finding in self.findings)


class Run:
    def __init__(
        self,
        course: Course,
        system: System,
        receivers: Receivers,
        say: Callable[[str], None],
    ) -> None:
        self._course = course
        self._system = system
        self._receivers = receivers
        self._say = say
        self._report = Report(course.seed)
        self._stories: list[Story] = []
        self._told: list[asyncio.Task[None]] = []
        self._began = time.monotonic()

    async def play(self, town: Town, client: Client) -> Report:
        await self._receivers.subscribe(town.http)
        await stock_up(town)
        async with asyncio.TaskGroup() as telling:
            await misbehave(self._system, town.http, self._course.seed)
            await self._load_and_troubles(town, telling)
            await behave(self._system, town.http)
            await self._receivers.behave(town.http)
            healing = time.monotonic()
            self._tell("nothing goes wrong any more")
            stuck = await self._heal(town, client)
            self._report.healed_after_seconds = time.monotonic() - healing
            for story in self._told:
                story.cancel()  # only those that are stuck are left
        at = self._system.stack.at
        answered = {
            reference(town.seed, number): order_id
            for number, order_id in town.answered.items()
        }
        heard = self._receivers.heard()
        evidence = await gather(answered, at, town.http, client, heard)
        self._conclude(town, evidence, stuck)
        return self._report

    # ── while it lasts ──────────────────────────────────────────────────────────

    async def _load_and_troubles(self, town: Town, telling: asyncio.TaskGroup) -> None:
        """Returns when the last order is placed and the last trouble is over."""
        places = asyncio.Semaphore(self._course.at_once)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._place_orders(town, telling, places))
            both.create_task(self._make_trouble())

    async def _place_orders(
        self, town: Town, telling: asyncio.TaskGroup, places: asyncio.Semaphore
    ) -> None:
        for number in self._course.orders:
            await places.acquire()
            if self._is_over():
                return
            story = Story(town, wish(self._course.seed, number))
            self._stories.append(story)
            task = telling.create_task(self._tell_story(story))
            task.add_done_callback(lambda _: places.release())
            self._told.append(task)
            await asyncio.sleep(self._course.gap_seconds)

    async def _tell_story(self, story: Story) -> None:
        try:
            await story.tell()
        except LookupError as lost:
            self._report.findings.append(str(lost))
            story.ended = True

    async def _make_trouble(self) -> None:
        for trouble, pause in zip(
            self._course.troubles, self._course.pauses, strict=False
        ):
            await asyncio.sleep(pause)
            if self._is_over():
                return
            self._tell(" and ".join(map(str, trouble)))
            self._report.troubles += 1
            self._report.faults.update(type(f).__name__.lower() for f in trouble)
            try:
                await inflict(self._system, trouble)
            except PartFailed as failed:
                self._report.findings.append(str(failed))
                return

    def _is_over(self) -> bool:
        return time.monotonic() - self._began > self._course.seconds

    # ── afterwards ──────────────────────────────────────────────────────────────

    async def _heal(self, town: Town, client: Client) -> list[str]:
        """Wait until everything has come to rest by itself. Returns what does not."""
        deadline = time.monotonic() + self._course.healing_seconds
        swept = -SWEEP_AGAIN_SECONDS
        while moving := await self._moving(town):
            if time.monotonic() > deadline:
                return moving
            if time.monotonic() - swept > SWEEP_AGAIN_SECONDS:
                self._tell(f"waiting for {len(moving)}, first {moving[0]:.200}")
                await sweep(self._system, client)
                swept = time.monotonic()
            with town.listener.subscribe(CHANNEL) as wake:
                await wake.wait(1)
        return []

    async def _moving(self, town: Town) -> list[str]:
        """What is not at rest."""
        untold = [
            f"{s.order_id or 'an order never answered'} has not ended: {s.where()}"
            for s in self._stories
            if not s.ended
        ]
        return untold or await pending(self._system, town.http)

    def _conclude(self, town: Town, evidence: Evidence, stuck: list[str]) -> None:
        report = self._report
        report.placed = len(evidence["orders"])
        report.states = Counter(order["status"] for order in evidence["orders"])
        report.refusals = town.refusals
        report.requests_lost = town.unanswered
        ids = Counter(mail["message_id"] for mail in evidence.mails)
        report.mails_repeated = sum(ids.values()) - len(ids)
        bypassed = [
            f"nobody went by the proxy {link}"
            for link, proxy in self._system.proxies.items()
            if not proxy.was_used
        ]
        report.findings += [*stuck, *town.broken, *bypassed, *findings(evidence)]

    def _tell(self, what: str) -> None:
        seconds = time.monotonic() - self._began
        under_way = sum(not story.ended for story in self._stories)
        self._say(
            f"{seconds:7.1f} s  {len(self._stories)} orders, {under_way} under way:"
            f" {what}"
        )


async def play(course: Course, data: Path, say: Callable[[str], None]) -> Report:
    """Start a system in `data`, run the course on it, and stop it again."""
    async with AsyncExitStack() as resources:
        system = await resources.enter_async_context(running_system(data))
        town = await resources.enter_async_context(town_of(system, course.seed))
        client = await Client.connect(system.stack.at.temporal)
        receivers = await resources.enter_async_context(
            Receivers(course.seed).listening()
        )
        run = Run(course, system, receivers, say)
        return await run.play(town, client)


@asynccontextmanager
async def town_of(
    system: System, seed: int, api: str | None = None
) -> AsyncIterator[Town]:
    """`api`: the address of the API they go to, where there are several."""
    at = system.stack.at
    settings = DatabaseSettings(database_url=SecretStr(at.database))
    listener = Listener(connector(settings, application="faults"), CHANNEL)
    listener.start()
    try:
        async with httpx2.AsyncClient(
            base_url=api or at.api, trust_env=False, timeout=20
        ) as http:
            yield Town(seed, http, at.carrier, listener)
    finally:
        await listener.stop()


async def sweep(system: System, client: Client) -> None:
    """Have the schedules run now, and also find what was missed a moment ago, which
    they would leave alone for a minute, as the outbox does with a mail that failed."""
    connection = await asyncpg.connect(system.stack.at.database)
    await connection.execute(
        "UPDATE orders SET created_at = created_at - $1::interval"
        " WHERE created_at > now() - $1::interval",
        GRACE,
    )
    await connection.execute(
        "UPDATE messages SET due_at = now() WHERE status = 'open' AND due_at > now()"
    )
    await connection.execute(f"NOTIFY {MESSAGES}")
    await connection.close()
    for name in SWEEPS:
        try:
            await client.get_schedule_handle(name).trigger(
                rpc_timeout=timedelta(seconds=10)
            )
        except RPCError as error:
            raise LookupError(f"schedule {name} cannot be run: {error}") from error


_WAITING = """
SELECT 'webhook ' || event_id FROM inbox WHERE processed_at IS NULL AND attempts < 5
UNION ALL
SELECT 'message ' || subject || '.' || seq FROM messages
WHERE status = 'open' AND due_at < now()
UNION ALL
SELECT l.kind || ' ' || l.id || ' of ' || p.order_id
FROM ledger l JOIN payments p ON p.id = l.payment_id
WHERE l.status = 'pending' AND p.next_action IS NULL AND NOT EXISTS
  (SELECT FROM holds h WHERE h.subject = l.ref AND h.released_at IS NULL)
UNION ALL
SELECT 'webhooks to ' || w.url FROM webhook_endpoints w
WHERE w.status <> 'enabled' OR EXISTS (SELECT FROM webhook_deliveries d
    WHERE d.endpoint = w.id AND d.status = 'pending')
  OR EXISTS (SELECT FROM events e
    WHERE (e.transaction_id, e.id) > (w.transaction_id, w.event_id))
UNION ALL
SELECT 'money held by ' || o.id FROM orders o JOIN payments p ON p.order_id = o.id
WHERE o.status IN ('completed', 'cancelled') AND p.authorized > p.captured + p.released
"""


async def pending(system: System, http: httpx2.AsyncClient) -> list[str]:
    """What is under way between the parts, and will be done in a moment."""
    at = system.stack.at
    connection = await asyncpg.connect(at.database)
    try:
        found = [str(row[0]) for row in await connection.fetch(_WAITING)]
    finally:
        await connection.close()
    for url in (at.payments, at.carrier):
        health = (await http.get(f"{url}/_sim/health")).json()
        if health["pending_webhooks"]:
            found.append(f"{health['pending_webhooks']} webhooks of {url}")
    return found


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
