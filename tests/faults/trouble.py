"""Makes go wrong what the plan says, and waits until it is over."""

import asyncio
from contextlib import suppress

import httpx2
from devstack.subprocess import PartFailed, Process

from tests.faults.plan import (
    Disturb,
    Fault,
    Freeze,
    Kill,
    Part,
    Stop,
    Trouble,
    misbehaviour,
)
from tests.faults.system import System

PATIENCE = 4
"""How many times its usual time a part may take to start on a busy machine."""


async def inflict(system: System, trouble: Trouble) -> None:
    """Returns when all of it is over and every part is ready again.

    Raises `PartFailed` for one that does not come back by itself."""
    await asyncio.gather(*(_inflict(system, fault) for fault in trouble))
    for part in Part:
        await _ready(system.stack[part])


async def _inflict(system: System, fault: Fault) -> None:
    match fault:
        case Kill(part):
            await system.stack[part].kill()
        case Stop(part):
            await _stop(system.stack[part])
        case Freeze(part, seconds):
            await _freeze(system.stack[part], seconds)
        case Disturb():
            await _disturb(system, fault)


async def _stop(process: Process) -> None:
    await process.stop(PATIENCE * process.command.stop_seconds)
    status = process.exit_code
    await process.start()
    if status != 0:
        raise PartFailed(process.report(f"did not drain: exit status {status}"))


async def _freeze(process: Process, seconds: float) -> None:
    process.pause()
    try:
        await asyncio.sleep(seconds)
    finally:
        process.resume()


async def _disturb(system: System, fault: Disturb) -> None:
    proxy = system.proxies[fault.link]
    match fault.how:
        case "delay":
            proxy.delay()
        case "drop":
            await proxy.drop()
        case "black-hole":
            proxy.black_hole()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        proxy.heal()


async def _ready(process: Process) -> None:
    """It is started again without us, with back-off: here it is only waited for."""
    for _ in range(PATIENCE - 1):
        with suppress(PartFailed):
            return await process.until_ready()
    await process.until_ready()


async def misbehave(system: System, http: httpx2.AsyncClient, seed: int) -> None:
    """The simulators drop answers, store errors, and garble their webhooks."""
    for peer, url in _peers(system).items():
        faults = misbehaviour(seed, peer)
        (await http.post(f"{url}/_sim/faults", json=faults)).raise_for_status()


async def behave(system: System, http: httpx2.AsyncClient) -> None:
    for url in _peers(system).values():
        (await http.delete(f"{url}/_sim/faults")).raise_for_status()


def _peers(system: System) -> dict[Part, str]:
    at = system.stack.at
    return {Part.PAYMENTS: at.payments, Part.CARRIER: at.carrier}
