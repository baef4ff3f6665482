"""A simulator as the process it is in real life."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class SimulatorProcess:
    """url: where it listens. Started again, it listens there still."""

    def __init__(self, name: str, data: Path, *options: str) -> None:
        self._module = f"simulators.{name}"
        self._options = ("--data", str(data), *options)
        self._port = "0"
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module, "--port", self._port),
            *self._options,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout
        ready = await self._process.stdout.readline()
        self.url = json.loads(ready)["url"]
        self._port = self.url.rpartition(":")[2]

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait; returns the exit status."""
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(how)
        return await self._process.wait()


@asynccontextmanager
async def running(
    name: str, data: Path, *options: str
) -> AsyncIterator[SimulatorProcess]:
    simulator = SimulatorProcess(name, data, *options)
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.end()
