"""What a business process declares to the worker."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.database.engine import Engine
from shared.platform.connection import CurrentClient
from temporalio.common import SearchAttributeKey

from worker.runtime.gauges import Gauge
from worker.settings import WorkerSettings


@dataclass(frozen=True)
class Queue:
    """A task queue and what runs on it. `steps` is how many activities at once."""

    name: str
    workflows: Sequence[type] = ()
    activities: Sequence[Callable[..., Any]] = ()
    steps: int = 100


@dataclass(frozen=True)
class InboxEvent:
    source: str
    event_id: str
    type: str
    payload: Mapping[str, Any]
    context: Mapping[str, Any] | None = None
    """What `Process.inbox_contexts` has read of it."""


InboxHandler = Callable[[InboxEvent], Awaitable[bool]]
"""Works off one webhook; `False` leaves it open for a later try. Must be repeatable."""


@dataclass(frozen=True)
class Message:
    """A message about an event. `data` is the event's; `key` names the message."""

    subject: str
    seq: int
    type: str
    at: datetime
    data: Mapping[str, Any]
    resends: int = 0
    context: str | None = None
    """What `Process.message_context` has read of it."""

    @property
    def key(self) -> str:
        """Different for a resent message, which must not be taken for the first."""
        again = f".{self.resends}" if self.resends else ""
        return f"{self.subject}.{self.seq}{again}"


class Undeliverable(Exception):
    """The message was refused for good. The text must not name anybody."""


MessageHandler = Callable[[Message], Awaitable[bool]]
"""Sends one message; returns `False` if there is no addressee. It may be called again
for a message that went out: the recipient must recognise the repeat by `key`. Raises
`Undeliverable`; after any other error it is tried again."""


@dataclass(frozen=True)
class Schedule:
    """A workflow that runs every so often, `offset` after the full period in UTC.
    Changed where its definition changes."""

    id: str
    workflow: Any
    task_queue: str
    every: timedelta
    offset: timedelta = timedelta()


@dataclass(frozen=True)
class Process:
    """A business process as the worker sees it."""

    name: str
    queues: Sequence[Queue]
    schedules: Sequence[Schedule] = ()
    inbox: Mapping[str, InboxHandler] = field(default_factory=dict)
    inbox_contexts: Mapping[str, str] = field(default_factory=dict)
    """By source, SQL that reads as JSON what its handler needs to know of a row of
    `inbox`: it is read together with the row."""
    messages: Mapping[str, MessageHandler] = field(default_factory=dict)
    message_context: str | None = None
    """The same of a row of `messages`, as text, for all handlers of the process."""
    runners: Sequence[Callable[[], Awaitable[None]]] = ()
    """Run until cancelled, from before Temporal is there."""
    close: Callable[[], Awaitable[None]] | None = None


BuildProcess = Callable[[WorkerSettings, Engine, CurrentClient], Process]


@dataclass(frozen=True, eq=False)
class Registration:
    """A process before it is built. `worker/__main__.py` lists them, one line each."""

    build: BuildProcess
    workflows: Sequence[type]
    """For replaying histories."""
    search_attributes: Sequence[SearchAttributeKey[Any]] = ()
    """The search attributes that its workflows set; without them the worker is not
    ready."""
    gauges: Sequence[Gauge] = ()
