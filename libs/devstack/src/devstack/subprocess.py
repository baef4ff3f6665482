"""One part of the stack as a supervised process."""

import asyncio
import os
import pwd
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

_PROBE_SECONDS = 0.1
_FIRST_BACK_OFF_SECONDS = 0.5
_LONGEST_BACK_OFF_SECONDS = 30.0
# A part that stayed up for this long is sound: its next death counts as the first.
_SOUND_AFTER_SECONDS = 30.0
# A part that dies this often before it was ever ready is given up.
_ATTEMPTS_TO_START = 4


class PartFailed(Exception):
    """A part did not come up. The message says which, why, and how its log ends."""


class State(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    PAUSED = "paused"
    DIED = "died"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a part is started, known to be ready, and stopped."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    # Answers whether the part can be used now. Never raises because it is not up yet.
    # None for a command that ends by itself.
    ready: Callable[[], Awaitable[bool]] | None = None
    # Runs before every start, also before a restart.
    prepare: Callable[[], Awaitable[None]] | None = None
    # The user it runs as, where that is not our own.
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # How long it has to stop by itself before it is killed.
    stop_seconds: float = 3.0
    # How long it has from its start until it is ready, restarts included.
    start_seconds: float = 60.0


class Process:
    """Runs a `Command`, starts it again with back-off when it dies, and leaves nothing.

    `changed` is called after every change of `state` and `pid`.
    """

    def __init__(
        self, command: Command, changed: Callable[["Process"], None] = lambda _: None
    ) -> None:
        self.command = command
        self.state = State.WAITING
        self.exit_code: int | None = None
        self._trouble: str | None = None
        self._changed = changed
        self._child: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._was_ready = False
        self._wanted = False

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child else None

    @property
    def end(self) -> str:
        """How it ended, or why it did not even start."""
        return self._trouble or f"exit status {self.exit_code}"

    async def start(self) -> None:
        """Start it and return when it is ready. Raises `PartFailed`."""
        self._wanted, self._was_ready = True, False
        self._supervisor = asyncio.create_task(self._supervise(), name=self.name)
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait until it is ready, also after a restart. Raises `PartFailed`."""
        if self._supervisor is None:
            raise PartFailed(f"{self.name} was not started")
        seconds = self.command.start_seconds
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {ready, self._supervisor},
                timeout=seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            ready.cancel()
        if self._ready.is_set():
            return
        if self._supervisor.done():
            await self._supervisor
        raise PartFailed(self.report(f"was not ready after {seconds:g} s"))

    async def run_to_end(self) -> None:
        """Run a command that ends by itself, once. Raises `PartFailed` if that is not
        with status 0."""
        try:
            async with asyncio.timeout(self.command.start_seconds):
                code = await self._run()
        except TimeoutError:
            seconds = self.command.start_seconds
            raise PartFailed(self.report(f"was not done after {seconds:g} s")) from None
        if code != 0:
            raise PartFailed(self.report(f"exited with status {code}"))
        self._change(State.DONE)

    async def stop(self, seconds: float | None = None) -> None:
        """Ask it to stop, kill it after `seconds` (default: as its command says)."""
        self._wanted = False
        if self._supervisor is None:
            return
        if self._child is None:
            self._supervisor.cancel()
        else:
            self._change(State.STOPPING)
            self._signal_leader(self.command.stop_signal)
            # A paused process takes no other signal.
            self._signal_family(signal.SIGCONT)
            patience = self.command.stop_seconds if seconds is None else seconds
            await asyncio.wait({self._supervisor}, timeout=patience)
            self._signal_family(signal.SIGKILL)
        await asyncio.wait({self._supervisor})
        self._supervisor = None
        self._change(State.STOPPED)

    async def kill(self, *, restart: bool = True) -> None:
        """Kill it at once (SIGKILL). It comes back by itself if `restart` is true."""
        if not restart:
            await self.stop(seconds=0)
        elif self._child is not None:
            dying = self._child
            self._signal_family(signal.SIGKILL)
            await dying.wait()
            self._ready.clear()

    def kill_now(self) -> None:
        """Kill it without waiting, and for good."""
        self._wanted = False
        self._signal_family(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its ports stay open and nobody answers."""
        self._signal_family(signal.SIGSTOP)
        self._change(State.PAUSED)

    def resume(self) -> None:
        """Let a paused process go on."""
        self._signal_family(signal.SIGCONT)
        self._change(State.READY if self._ready.is_set() else State.STARTING)

    def report(self, what: str, lines: int = 20) -> str:
        """A sentence on what happened to this part, and the end of its log."""
        end = "\n".join(f"    {line}" for line in tail(self.command.log, lines))
        return f"{self.name} {what}. The end of {self.command.log}:\n{end}"

    async def _supervise(self) -> None:
        deaths = 0
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            await self._run_or_note()
            self._ready.clear()
            if not self._wanted:
                return
            deaths = 1 if clock() - began > _SOUND_AFTER_SECONDS else deaths + 1
            if not self._was_ready and deaths >= _ATTEMPTS_TO_START:
                how = f"died {deaths} times and was never ready"
                raise PartFailed(self.report(f"{how} ({self.end})"))
            self._change(State.DIED)
            await asyncio.sleep(back_off_seconds(deaths))

    async def _run_or_note(self) -> None:
        """Run it until it ends. That a part which was up cannot be started again (the
        disk is full, its program is just being replaced) is one more death."""
        try:
            self.exit_code = await self._run()
        except OSError as problem:
            if not self._was_ready:
                raise
            self._trouble = str(problem)
        else:
            self._trouble = None

    async def _run(self) -> int:
        if self.command.prepare is not None:
            self._change(State.STARTING)
            await self.command.prepare()
        self._child = child = await self._spawn()
        probe = asyncio.create_task(self._probe())
        try:
            self._change(State.STARTING)
            return await child.wait()
        finally:
            probe.cancel()
            # Its own children end with it, also when we are cancelled.
            self._signal_family(signal.SIGKILL)
            await child.wait()
            self._child = None

    async def _spawn(self) -> asyncio.subprocess.Process:
        with self.command.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.command.argv,
                env=self.command.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C in a terminal reaches the whole foreground group. A session of
                # its own keeps the part running until it is its turn to stop.
                start_new_session=True,
                **as_user(self.command.user),
            )

    async def _probe(self) -> None:
        if self.command.ready is None:
            return
        # Polled, since another process has no event to wait for.
        while not await self.command.ready():  # noqa: ASYNC110
            await asyncio.sleep(_PROBE_SECONDS)
        self._was_ready = True
        self._ready.set()
        self._change(State.READY)

    def _change(self, state: State) -> None:
        self.state = state
        self._changed(self)

    def _signal_leader(self, number: signal.Signals) -> None:
        if self._child is not None:
            with suppress(ProcessLookupError):
                self._child.send_signal(number)

    def _signal_family(self, number: signal.Signals) -> None:
        """Signal the process group and all descendants: PostgreSQL gives each of its
        children a group of its own."""
        if self._child is None:
            return
        with suppress(psutil.NoSuchProcess):
            for descendant in psutil.Process(self._child.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    descendant.send_signal(number)
        # macOS answers "not permitted" for a group of zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)


def back_off_seconds(deaths: int) -> float:
    """The pause before a restart: doubles with each death in a row, 30 s at most."""
    # The exponent is bounded so that a part that dies all night does not overflow.
    doubled = _FIRST_BACK_OFF_SECONDS * float(2 ** min(deaths - 1, 10))
    return min(doubled, _LONGEST_BACK_OFF_SECONDS)


def as_user(name: str | None) -> dict[str, Any]:
    """What makes `subprocess` run a child as `name`; nothing if that is None."""
    if name is None:
        return {}
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log file, without reading all of it."""
    with suppress(FileNotFoundError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 400 * lines))
        return file.read().decode(errors="replace").splitlines()[-lines:]
    return []
