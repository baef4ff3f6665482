"""Other systems that hear of everything by webhook, while they die, hang, answer 500
and say that they are gone."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random

import httpx2

from tests.faults.people import COME_AGAIN
from tests.support.receivers import HANGS, Behaviour, Heard, Receiver, well

HANG_AT_FIRST = 10
"""Requests: each holds its subject up for a quarter of a minute."""
GONE_AT_FIRST = 3
DEAD_SECONDS, ALIVE_SECONDS = 3.0, 4.0
ENDPOINTS = "/v1/webhook-endpoints"

Told = tuple[str, int]
"""A subject's event, by its seq."""


class Receivers:
    """One for each way to misbehave, and one that behaves."""

    def __init__(self, seed: int) -> None:
        self._by_name = {
            name: Receiver(behaviour) for name, behaviour in _behaviours(seed).items()
        }
        self._ids: dict[str, str] = {}
        self._troubled = asyncio.Event()
        self._troubled.set()

    async def subscribe(self, http: httpx2.AsyncClient) -> None:
        for name, receiver in self._by_name.items():
            body = {
                "url": receiver.url,
                "owner_email": f"{name}@example.com",
                "after": "0-0",
            }
            headers = {"Idempotency-Key": f"faults-{name}"}
            answer = await http.post(ENDPOINTS, json=body, headers=headers)
            answer.raise_for_status()
            self._ids[name] = answer.json()["id"]

    async def behave(self, http: httpx2.AsyncClient) -> None:
        """Whoever was given up says that they are well again."""
        self._troubled.clear()
        for name, receiver in self._by_name.items():
            receiver.behaviour = well
            await self._enable(http, name)

    async def _enable(self, http: httpx2.AsyncClient, name: str) -> None:
        headers = {"Idempotency-Key": f"faults-{name}-enable"}
        path = f"{ENDPOINTS}/{self._ids[name]}/enable"
        while True:
            answer = await http.post(path, json={}, headers=headers)
            if answer.status_code not in COME_AGAIN:
                answer.raise_for_status()
                return
            await asyncio.sleep(1)

    def heard(self) -> Mapping[str, Sequence[Told]]:
        """What each has accepted, repeats included."""
        return {
            name: [(one.subject, one.seq) for one in receiver.accepted]
            for name, receiver in self._by_name.items()
        }

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Receivers"]:
        async with asyncio.TaskGroup() as group:
            ready = [asyncio.Event() for _ in self._by_name]
            tasks = [
                group.create_task(self._listen(name, receiver, event))
                for (name, receiver), event in zip(
                    self._by_name.items(), ready, strict=True
                )
            ]
            for event in ready:
                await event.wait()
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()

    async def _listen(
        self, name: str, receiver: Receiver, ready: asyncio.Event
    ) -> None:
        while name == "dies" and self._troubled.is_set():
            async with receiver.listening():
                ready.set()
                await asyncio.sleep(ALIVE_SECONDS)
            await asyncio.sleep(DEAD_SECONDS)
        async with receiver.listening():
            ready.set()
            await asyncio.Event().wait()  # until the run is over


def _behaviours(seed: int) -> Mapping[str, Behaviour]:
    dice = Random(f"{seed}/receivers")
    asked = dict.fromkeys(("hangs", "gone"), 0)

    def at_first(name: str, count: int, status: int) -> Behaviour:
        def behave(_: Heard) -> int:
            asked[name] += 1
            return status if asked[name] <= count else 204

        return behave

    return {
        "well": well,
        "dies": well,
        "hangs": at_first("hangs", HANG_AT_FIRST, HANGS),
        "fails": lambda _: dice.choice((200, 200, 200, 500)),
        "gone": at_first("gone", GONE_AT_FIRST, 410),
    }
