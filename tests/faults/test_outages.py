"""A part is gone: what can answer answers, and the rest says so at once."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.faults.customers import an_order, confirmed, until_none_is_placed
from tests.faults.gone import How, Request, Told, ask_all, gone
from tests.faults.people import Town
from tests.faults.system import System

AT_ONCE_SECONDS = 3.0
"""Twice `API_FAIL_FAST_AFTER`, and what an answer takes."""
BUSY_SECONDS = 4.5
"""The same on a machine that runs other tests: sooner than any time-out, though."""
ONE_ROUND = 0.0
SHORT: list[Any] = [("refuses", ONE_ROUND), ("is silent", ONE_ROUND)]


def for_minutes(minutes: int) -> Any:
    marks = (pytest.mark.slow, pytest.mark.timeout(minutes * 60 + 300))
    return pytest.param("refuses", minutes * 60.0, marks=marks)


def late(told: Iterable[Told], rounds_seconds: float) -> list[str]:
    bound = BUSY_SECONDS if rounds_seconds == ONE_ROUND else AT_ONCE_SECONDS
    return [str(t) for t in told if t.seconds > bound]


def not_answered(told: Iterable[Told]) -> list[str]:
    return [str(t) for t in told if not 200 <= t.status < 300]


def not_told_to_come_again(told: Iterable[Told]) -> list[str]:
    return [str(t) for t in told if not (t.status == 503 and t.come_again)]


async def requests(town: Town) -> tuple[list[Request], list[Request], list[Request]]:
    """What reads and writes facts, what commands workflows, and the probe."""
    order = await confirmed(town)
    path = f"/v1/orders/{order['id']}"
    (parcel,) = order["shipments"]
    facts = [
        Request("POST", "/v1/orders", an_order),
        Request("GET", path),
        Request("GET", f"{path}/events"),
        Request("GET", f"{path}/process"),
        *(Request("GET", f"/v1/{name}") for name in ("orders", "holds", "stock")),
    ]
    commands = [
        Request("POST", f"{path}/cancellations", {"reason": "too-late"}),
        Request("POST", f"{path}/holds", {"note": "Wait."}),
        Request("POST", f"/v1/shipments/{parcel['id']}/ship", {}),
        Request("POST", f"{path}/resume", {}),
    ]
    return facts, commands, [Request("GET", "/ready")]


@pytest.mark.parametrize(("how", "seconds"), [*SHORT, for_minutes(5)])
async def test_without_temporal_only_commands_are_told_to_come_again(
    system: System, town: Town, how: How, seconds: float
) -> None:
    facts, commands, probe = await requests(town)
    async with gone(system.stack["temporal"], how):
        told = await ask_all(town.http, [*facts, *commands, *probe], seconds)
    assert not late(told, seconds)
    assert not not_answered(t for t in told if t.request not in commands)
    assert not not_told_to_come_again(t for t in told if t.request in commands)
    await until_none_is_placed(system, town)


@pytest.mark.parametrize(("how", "seconds"), [*SHORT, for_minutes(1)])
async def test_without_postgresql_everybody_is_told_to_come_again(
    system: System, town: Town, how: How, seconds: float
) -> None:
    facts, commands, probe = await requests(town)
    async with gone(system.stack["postgres"], how):
        told = await ask_all(town.http, [*facts, *commands, *probe], seconds)
    assert not late(told, seconds)
    assert not not_told_to_come_again(t for t in told if t.request not in probe)
    assert {t.status for t in told if t.request in probe} == {503}
    await confirmed(town)
    assert (await town.http.get("/ready")).status_code == 200
