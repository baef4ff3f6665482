"""What the parts count of themselves: requests, statements, events. No clock in it."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2
from devstack.temporal import NAMESPACE
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory

from benchmarks.shop import OURS

_SAMPLE = re.compile(r"^(\w+)\{([^}]*)\} ([0-9.e+]+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')

PAGE_SECONDS = 1.5

BY_THE_CLOCK = frozenset(
    {
        *("PollWorkflowExecutionHistory", "GetCurrentClusterMetadata"),
        *("ListClusterMetadata", "ListNexusEndpoints", "GetNamespace"),
        *("GetSystemInfo", "DescribeNamespace", "ListNamespaces", "GetClusterInfo"),
        *("DescribeTaskQueue", "RecordWorkerHeartbeat", "ShutdownWorker"),
        *("ListWorkflowExecutions", "GetWorkflowExecutionHistory", "Check"),
        *("GetWorkerBuildIdCompatibility", "GetSearchAttributes", "ListSchedules"),
        *("ListSearchAttributes", "DescribeSchedule", "PollNexusTaskQueue"),
        *("DescribeWorkflowExecution", "CountWorkflowExecutions"),
    }
)
"""Requests that no order asks for: ours, start-up's and the clock's."""


async def settled_requests(http: httpx2.AsyncClient, metrics: str) -> "Requests":
    """Once the page shows everything that has happened: the server brings it up to date
    every second, and tells nobody when."""
    shown = await temporal_requests(http, metrics)
    while True:
        await asyncio.sleep(PAGE_SECONDS)
        now = await temporal_requests(http, metrics)
        if now == shown:
            return now
        shown = now


async def temporal_requests(http: httpx2.AsyncClient, metrics: str) -> "Requests":
    """Polls count where they were answered: an empty one says only that a minute is
    over. Nor do the server's own workers count."""
    page = (await http.get(metrics)).text
    frontend, persistence = Counter[str](), Counter[str]()
    for name, labels, value in _samples(page):
        if name == "persistence_requests":
            persistence[labels["operation"]] += value
        elif labels.get("namespace") != NAMESPACE:
            continue
        elif name == "service_requests" and labels["service_name"] == "frontend":
            frontend[labels["operation"]] += value
        elif name == "poll_timeouts":
            frontend["polls without an answer"] -= value
    for operation in BY_THE_CLOCK:
        del frontend[operation], persistence[operation]
    return Requests(frontend, persistence)


def _samples(page: str) -> Iterator[tuple[str, dict[str, str], int]]:
    for line in page.splitlines():
        sample = _SAMPLE.match(line)
        if sample is not None:
            yield sample[1], dict(_LABEL.findall(sample[2])), int(float(sample[3]))


@dataclass(frozen=True)
class Requests:
    """By operation."""

    frontend: Counter[str]
    persistence: Counter[str]

    def since(self, before: "Requests") -> "Requests":
        return Requests(
            _difference(self.frontend, before.frontend),
            _difference(self.persistence, before.persistence),
        )


def _difference(after: Counter[str], before: Counter[str]) -> Counter[str]:
    # Not `-`: that would leave out what is below zero.
    return Counter({name: n - before[name] for name, n in after.items()})


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────


_LOGGED = re.compile(r"^@(\S*) (\d+) .*?(?:statement|execute [^:]*): (.*)")
NOBODYS = frozenset({OURS, "", "[unknown]", "deliverer", "api-listener"})
"""Applications whose statements no order causes: the benchmark, the server itself, a
listener that checks its connection, and a deliverer that has no endpoint, which looks
for one every second."""
_OPENS = re.compile(r"BEGIN|START TRANSACTION")
_CLOSES = re.compile(r"COMMIT|ROLLBACK")


@dataclass(frozen=True)
class Sql:
    """Statements without those that only open and close transactions."""

    statements: Counter[str]
    transactions: Counter[str]


class SqlLog:
    """Every statement, as the server's own log has it: no extension is needed."""

    def __init__(self, database_url: str, log: Path) -> None:
        self._url = database_url
        self._log = log
        self._read = 0

    async def start(self) -> None:
        connection = await asyncpg.connect(self._url)
        for name, value in (
            ("log_line_prefix", "@%a %p "),
            ("log_statement", "all"),
            ("log_min_messages", "log"),
        ):
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()

    def mark(self) -> None:
        """Count from here."""
        self._read = self._log.stat().st_size

    def since_mark(self) -> Sql:
        with self._log.open(errors="replace") as log:
            log.seek(self._read)
            return count_statements(log)


def count_statements(log: Iterable[str]) -> Sql:
    """By application. A statement outside of a transaction is one of its own."""
    statements, transactions = Counter[str](), Counter[str]()
    inside = set[str]()
    for line in log:
        logged = _LOGGED.match(line)
        if logged is None or logged[1] in NOBODYS:
            continue
        application, process, statement = logged.groups()
        if _OPENS.match(statement):
            inside.add(process)
            transactions[application] += 1
        elif _CLOSES.match(statement):
            inside.discard(process)
        else:
            statements[application] += 1
            transactions[application] += process not in inside
    return Sql(statements, transactions)


# ── histories ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Histories:
    """Of all workflows of one order."""

    workflows: int = 0
    events: int = 0
    workflow_tasks: int = 0
    activities: int = 0
    nudges: int = 0
    bytes: int = 0

    def plus(self, history: WorkflowHistory) -> "Histories":
        kinds = Counter(event.event_type for event in history.events)
        return Histories(
            self.workflows + 1,
            self.events + len(history.events),
            self.workflow_tasks + kinds[EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED],
            self.activities + kinds[EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED],
            self.nudges + kinds[EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED],
            self.bytes + sum(event.ByteSize() for event in history.events),
        )


async def histories_of(
    client: Client, workflow_id: str, before: Histories
) -> Histories:
    """Of a workflow and all that it started, added to what was counted before."""
    found, waiting = before, [workflow_id]
    while waiting:
        history = await client.get_workflow_handle(waiting.pop()).fetch_history()
        found = found.plus(history)
        for event in history.events:
            started = event.child_workflow_execution_started_event_attributes
            if started.workflow_execution.workflow_id:
                waiting.append(started.workflow_execution.workflow_id)
    return found
