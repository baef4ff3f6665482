"""The whole system on one machine: what starts after what, what stops before what."""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from devstack.issuer.people import tokens
from devstack.issuer.signer import Signer
from devstack.lock import only_one
from devstack.observability.prometheus import prometheus
from devstack.orphans import Guard, Record, stop_orphans
from devstack.ports import Ports, check_free
from devstack.postgres import postgres
from devstack.services import (
    Addresses,
    Services,
    encryption,
    known_callers,
    tracing,
)
from devstack.subprocess import Command, Process
from devstack.temporal import search_attributes, temporal

PARTS = (
    "postgres",
    "temporal",
    "payments",
    "carrier",
    "mail",
    "worker",
    "api",
    "deliverer",
    "console",
)
"""Parts that run until they are stopped."""

EXTRAS = ("traces", "prometheus", "issuer", "codec")
"""Optional parts: to observe the rest, to sign in, and to decode encrypted payloads."""

_ERRANDS = {"migrations": "postgres", "products": "api"}
"""Commands that run once, each with the part that it prepares."""

_AFTER = {
    "migrations": ("postgres",),
    "worker": ("migrations", "temporal"),
    "api": ("migrations",),
    "deliverer": ("migrations",),
    # With the first token that it sees, the API asks the issuer for its keys.
    "products": ("api", "issuer"),
}

# First nothing new comes in, then what runs is finished, then what that needed goes.
_STOP_ORDER = (
    ("console", "api", "deliverer"),
    ("worker",),
    ("payments", "carrier", "mail"),
    ("temporal", "postgres"),
    EXTRAS,
)

_OUR_FILES = (
    "postgres*",
    "*.sqlite*",
    "mail",
    "logs",
    "logs.previous",
    "bytecode",
    "prometheus",
    "issuer-key.pem",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What to run, and where. Each part is one of `PARTS`, an extra or an errand."""

    # Keeps everything; made if missing.
    data: Path
    ports: Ports = field(default_factory=Ports)
    parts: tuple[str, ...] = (*PARTS, *_ERRANDS)
    # False: nothing is flushed to disk and Temporal lives in memory.
    durable: bool = True
    # Delete what earlier runs kept in `data`.
    fresh: bool = False
    # Temporal namespaces beside `default`.
    namespaces: tuple[str, ...] = ()
    # Temporal's dynamic configuration: values as JSON, by name.
    dynamic_config: Mapping[str, str] = field(default_factory=dict)
    ui: bool = True
    # How long the carrier takes for each step from shipped to delivered.
    carrier_step_seconds: float = 0.5
    # Added to the environment of every service, over the defaults.
    environment: Mapping[str, str] = field(default_factory=dict)
    # The root of the checkout: the rules that Prometheus gets are in it.
    project: Path = field(default_factory=Path.cwd)
    # A temporary directory to delete at the end, whatever the end.
    remove: Path | None = None


def with_errands(parts: Iterable[str]) -> tuple[str, ...]:
    """`parts`, and what makes them usable: a migrated database, products in the API."""
    chosen = tuple(parts)
    return chosen + tuple(name for name, of in _ERRANDS.items() if of in chosen)


class Stack:
    """Runs the chosen parts from entering to leaving it as an async context.

    `stack["worker"]` is the `Process` of a part: its pid, and `kill`, `pause`, `stop`
    and `start` for those who test what happens then. Entering raises `AlreadyRunning`,
    `SomebodyElses`, `PortTaken` or `PartFailed`, and then nothing is left running.
    """

    def __init__(
        self, options: Options, changed: Callable[[Process], None] = lambda _: None
    ) -> None:
        self.options = options
        self.at = Addresses(options.ports)
        self.signer = Signer(self.at.issuer) if "issuer" in options.parts else None
        self._changed = changed
        self._record = Record(options.data / "processes.json")
        self._processes: dict[str, Process] = {}
        self._resources = AsyncExitStack()
        self.is_stopping = False

    def __getitem__(self, name: str) -> Process:
        return self._processes[name]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as resources:
            await self._claim(resources)
            http = await resources.enter_async_context(_client())
            self._processes = {
                command.name: Process(command, self._note)
                for command in self._commands(http)
            }
            resources.push_async_callback(self._stop)
            await self._start()
            self._resources = resources.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    @property
    def environment(self) -> dict[str, str]:
        """What the chosen extras and the options have every service know."""
        seen = tracing(self.at) if "traces" in self.options.parts else {}
        known = known_callers(self.at) if self.signer else {}
        sealed = encryption() if "codec" in self.options.parts else {}
        return {**seen, **known, **sealed, **self.options.environment}

    def kill_all(self) -> None:
        """Kill whatever still runs (SIGKILL), without waiting."""
        for process in self._processes.values():
            process.kill_now()

    def describe(self) -> dict[str, object]:
        """The addresses and pids of what runs, for programs."""
        at = self.at
        addresses: dict[str, dict[str, str]] = {
            "console": {"console": at.console},
            "api": {"api": at.api, "api_metrics": f"{at.api_metrics}/metrics"},
            "worker": {"worker_metrics": f"{at.worker}/metrics"},
            "deliverer": {"deliverer_metrics": f"{at.deliverer}/metrics"},
            "temporal": {"temporal": at.temporal, "temporal_ui": at.temporal_ui},
            "postgres": {"database_url": at.database},
            "payments": {"payments": at.payments},
            "carrier": {"carrier": at.carrier},
            "mail": {"mail": at.mail},
            "traces": {"traces": at.traces, "otlp": at.otlp},
            "prometheus": {"prometheus": at.prometheus},
            "issuer": {"issuer": at.issuer},
            "codec": {"codec": at.codec},
        }
        running = [part for part in addresses if part in self._processes]
        known = {name: url for part in running for name, url in addresses[part].items()}
        who = {"tokens": tokens(self.signer)} if self.signer else {}
        return known | who | {"pids": {part: self[part].pid for part in running}}

    async def _claim(self, resources: AsyncExitStack) -> None:
        """Own the data directory, and tidy up after an owner that was killed."""
        data = self.options.data
        resources.enter_context(only_one(data))
        data.chmod(0o700)  # it holds signing keys and tokens
        (data / ".gitignore").write_text("*\n")
        await asyncio.to_thread(stop_orphans, self._record)
        # Before anything is deleted: the last run's logs are kept for one start only.
        check_free(self.options.ports, self.options.parts)
        if self.options.fresh:
            _forget(data)
        _set_logs_aside(data / "logs")
        resources.callback(Guard(self._record, self.options.remove).dismiss)

    def _commands(self, http: httpx2.AsyncClient) -> list[Command]:
        o, logs = self.options, self.options.data / "logs"
        services = Services(self.at, o.data, http, self.environment, self.signer)
        build: dict[str, Callable[[], Command]] = {
            "postgres": lambda: postgres(
                o.data / "postgres",
                o.ports.postgres,
                logs / "postgres.log",
                durable=o.durable,
            ),
            "temporal": lambda: temporal(
                o.ports,
                logs / "temporal.log",
                http=http,
                database=o.data / "temporal.sqlite" if o.durable else None,
                namespaces=o.namespaces,
                search_attributes=search_attributes(),
                dynamic_config=o.dynamic_config,
                ui=o.ui,
                codec=self.at.codec if "codec" in o.parts else None,
            ),
            "payments": services.payments,
            "carrier": lambda: services.carrier(o.carrier_step_seconds),
            "mail": services.mail,
            "migrations": services.migrations,
            "worker": services.worker,
            "api": services.api,
            "deliverer": services.deliverer,
            "console": services.console,
            "products": services.products,
            "traces": services.traces,
            "issuer": services.issuer,
            "codec": services.codec,
            "prometheus": lambda: prometheus(o.ports, o.data, o.project, http=http),
        }
        return [build[name]() for name in build if name in o.parts]

    async def _start(self) -> None:
        """Start everything as early as what it needs allows."""
        done = {name: asyncio.Event() for name in self._processes}
        try:
            async with asyncio.TaskGroup() as group:
                for process in self._processes.values():
                    group.create_task(self._start_part(process, done))
        except ExceptionGroup as failures:
            # The first failure cancelled the others, so it is the one to report.
            raise failures.exceptions[0] from None

    async def _start_part(
        self, process: Process, done: Mapping[str, asyncio.Event]
    ) -> None:
        for name in _AFTER.get(process.name, ()):
            if name in done:
                await done[name].wait()
        if process.name in _ERRANDS:
            await process.run_to_end()
        else:
            await process.start()
        done[process.name].set()

    async def _stop(self) -> None:
        self.is_stopping = True
        for together in _STOP_ORDER:
            stopping = [
                self[name].stop() for name in together if name in self._processes
            ]
            await asyncio.gather(*stopping)

    def _note(self, process: Process) -> None:
        # On a full disk, starting and stopping parts is more important.
        with suppress(OSError):
            self._record.write(
                (p.pid, p.command.stop_signal)
                for p in self._processes.values()
                if p.pid is not None
            )
        self._changed(process)


def _client() -> httpx2.AsyncClient:
    # Loopback addresses must not go through the environment's proxy.
    return httpx2.AsyncClient(trust_env=False, timeout=2)


def _forget(data: Path) -> None:
    """Delete what a stack keeps in `data`, and nothing else that may be there."""
    for pattern in _OUR_FILES:
        for path in data.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _set_logs_aside(logs: Path) -> None:
    """Start with empty logs and keep those of the last run."""
    previous = logs.with_name("logs.previous")
    if logs.exists():
        shutil.rmtree(previous, ignore_errors=True)
        logs.rename(previous)
    logs.mkdir()
