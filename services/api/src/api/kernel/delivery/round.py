"""One round of deliveries to an endpoint: subjects side by side, each in its order."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from api.kernel.delivery import metrics
from api.kernel.delivery.attempts import GIVEN_UP_AFTER, HEALTHY, Health, pause
from api.kernel.delivery.message import Message
from api.kernel.delivery.sender import AT_ONCE, GONE, Answer, Sender
from api.kernel.delivery.store import Look, Outcome, Pending


@dataclass(frozen=True)
class Item:
    """A message to send, and its earlier attempts."""

    message: Message
    is_new: bool
    """It has no row yet."""
    first_attempt_at: datetime | None = None
    attempts: int = 0
    is_first: bool = True

    @classmethod
    def of(cls, pending: Pending, message: Message) -> "Item":
        return cls(
            message,
            is_new=False,
            first_attempt_at=pending.first_attempt_at,
            attempts=pending.attempts,
            is_first=pending.is_first,
        )


@dataclass
class Round:
    """Sends due rows and new events. `stopping` is checked before each attempt:
    messages that were not attempted get a row and wait."""

    endpoint: str
    look: Look
    sender: Sender
    stopping: asyncio.Event
    health: Health = field(init=False)
    recovered: bool = False
    """It answers again, so failed messages need not wait."""
    is_gone: bool = False
    exhausted: list[Item] = field(default_factory=list)
    """After three days without success."""
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.health = self.look.health

    async def deliver(self, due: Sequence[Pending], news: Sequence[Message]) -> None:
        """Deliver; returns when each message was attempted or must wait. When
        cancelled, it stores running attempts as waiting."""
        items = [Item.of(p, p.message) for p in due if p.message is not None]
        items += [Item(message, is_new=True) for message in news]
        for item in items:
            if item.is_new:
                self._note_waiting(item.message)
        for lost in (p for p in due if p.message is None):
            self._outcomes[str(lost.position)] = Outcome(
                *(lost.position, lost.type, lost.subject, "failed", False),
                error="the event is not there any more",
            )
        places = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as subjects:
            for of_subject in self._by_subject(items).values():
                subjects.create_task(self._in_order(of_subject, places))

    def outcomes(self) -> Sequence[Outcome]:
        return list(self._outcomes.values())

    def _by_subject(self, items: Sequence[Item]) -> Mapping[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for item in items:
            subject = item.message.subject
            # Rows of its subject go first, also those that are not due yet.
            if not item.is_new or subject not in self.look.blocked:
                found.setdefault(subject, []).append(item)
        return found

    async def _in_order(self, items: Sequence[Item], places: asyncio.Semaphore) -> None:
        for item in items:
            async with places:
                if self._must_wait(item):
                    return
                answer = await self.sender.send(
                    self.look.url, item.message, self.look.secrets
                )
            if not self._note(item, answer):
                return

    def _must_wait(self, item: Item) -> bool:
        """An endpoint that has just gone down is left alone; one that was down before
        is tried once."""
        return (
            self.stopping.is_set() or self.is_gone or self._went_down()
        ) and not item.message.is_test

    def _went_down(self) -> bool:
        return self.health.is_down and not self.look.health.is_down

    def _note(self, item: Item, answer: Answer) -> bool:
        """Note an attempt. Returns whether the subject's next message may follow."""
        outcome = "succeeded" if answer.succeeded else "failed"
        metrics.DELIVERIES.labels(self.endpoint, outcome).inc()
        metrics.LATENCY.observe(answer.latency_ms / 1000)
        if answer.succeeded:
            self._note_success(item, answer)
        else:
            self._note_failure(item, answer)
        return answer.succeeded

    def _note_success(self, item: Item, answer: Answer) -> None:
        if item.is_first and not item.message.is_test:
            age = datetime.now(UTC) - item.message.at
            metrics.LAG.observe(max(0.0, age.total_seconds()))
        self.recovered |= self.health.is_down
        self.health = HEALTHY
        self._record(item.message, "succeeded", answer)

    def _note_failure(self, item: Item, answer: Answer) -> None:
        if item.message.is_test:
            # People watch a test's outcome themselves, so it is not retried.
            self._record(item.message, "failed", answer)
            return
        now = datetime.now(UTC)
        if not self._went_down():  # else it was sent beside those that showed it
            self.health = self.health.after_failure(now)
        self.is_gone |= answer.status == GONE
        first = item.first_attempt_at or now
        if now - first >= GIVEN_UP_AFTER:
            self.exhausted.append(item)
        wait = max(pause(item.attempts + 1), timedelta(seconds=answer.retry_after or 0))
        self._record(item.message, "pending", answer, now + wait)

    def _record(
        self,
        message: Message,
        status: str,
        answer: Answer,
        due_at: datetime | None = None,
    ) -> None:
        self._outcomes[message.id] = Outcome(
            *(message.position, message.type, message.subject, status, True),
            due_at=due_at,
            response_status=answer.status,
            response_head=answer.head,
            latency_ms=answer.latency_ms,
            error=answer.error,
        )

    def _note_waiting(self, message: Message) -> None:
        self._outcomes[message.id] = Outcome(
            *(message.position, message.type, message.subject, "pending", False),
            due_at=datetime.now(UTC),
        )

    def given_up(self) -> Iterator[Item]:
        """Deliveries that failed for three days while others succeeded."""
        return (item for item in self.exhausted if not self._is_endpoints_fault(item))

    def is_dead(self) -> bool:
        """Whether the endpoint has answered nothing since a first attempt three days
        ago."""
        return any(map(self._is_endpoints_fault, self.exhausted))

    def _is_endpoints_fault(self, item: Item) -> bool:
        since, first = self.health.failing_since, item.first_attempt_at
        return since is not None and first is not None and since <= first
