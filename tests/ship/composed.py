"""`python -m tests.ship.composed LOGS`: docker/compose.yaml without a container engine.

Runs each service by the program of its image, in the file's order, with the file's
environment and command and nothing else; then plays the demo against it. It takes the
file's ports, so it wants a network of its own: `unshare --net`.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from devstack import demo
from devstack.ports import Ports
from devstack.services import Addresses
from devstack.subprocess import Command, PartFailed, Process, as_user

from tests.ship.dockerfile import ROOT

Service = dict[str, Any]

FILE = ROOT / "docker" / "compose.yaml"
PORTS = Ports(
    **dict.fromkeys(Ports.__dataclass_fields__, 0)
    | {"api": 8000, "temporal": 7233, "temporal_ui": 8233, "postgres": 5432}
)
POSTGRESQL = next(Path("/usr/lib/postgresql").glob("*/bin"), Path("/nowhere"))
"""Debian's: the server's schema wants an extension that the wheel leaves out."""
# What the entrypoints of other people's images come down to.
PROGRAMS = {"temporalio/server": ["temporal-server", "start"]}
# Nothing else needs it, and no registry has it as a program.
WITHOUT = ("temporal-ui",)


def read() -> dict[str, Any]:
    """The file, with every variable that has a default at that default."""
    text = re.sub(r"\$\{\w+-(.*?)\}", r"\1", FILE.read_text())
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def in_order(services: dict[str, Service]) -> Iterator[str]:
    """Names, each after those that it depends on."""
    done: list[str] = []
    while left := [name for name in services if name not in done]:
        for name in left:
            if set(services[name].get("depends_on", ())) <= set(done):
                done.append(name)
                yield name


def environment(service: Service) -> dict[str, str]:
    told = service.get("environment", {})
    given = {name: here(str(value), service) for name, value in told.items()}
    if "env_file" in service:
        lines = (FILE.parent / service["env_file"]).read_text().splitlines()
        given |= dict(s.split("=", 1) for s in lines if s and not s.startswith("#"))
    return {"PATH": f"{POSTGRESQL}:{os.environ['PATH']}", **given}


def argv(service: Service) -> tuple[str, ...]:
    image = service["image"].partition(":")[0]
    own = {
        **{"temporal-worker": "worker", "fastapi-service": "api"},
        "console": "console",
    }.get(image)
    program = ["python", "-m", own] if own else PROGRAMS.get(image, [])
    words = [*service.get("entrypoint", program), *service.get("command", ())]
    return tuple(here(word, service) for word in words)


def here(path: str, service: Service) -> str:
    """Where the thing is that the service sees as `path`."""
    for volume in service.get("volumes", ()):
        source, target, *_ = volume.split(":")
        if source.startswith(".") and Path(path).is_relative_to(target):
            place = (FILE.parent / source).resolve()
            return str(place / Path(path).relative_to(target))
    return path


@dataclass(frozen=True)
class Here(Addresses):
    @property
    def database(self) -> str:
        url: str = read()["x-settings"]["DATABASE_URL"]
        return url


class Composed:
    """The services that run, and how each is known to be up."""

    def __init__(self, logs: Path) -> None:
        self._file = read()
        self._logs = logs

    async def run(self) -> None:
        services = self._file["services"]
        ends = {
            needed
            for service in services.values()
            for needed, how in _needs(service)
            if how == "service_completed_successfully"
        }
        async with AsyncExitStack() as running:
            for name in in_order(services):
                if name in WITHOUT:
                    continue
                print(f"starting {name}", flush=True)
                process = Process(self._command(name, services[name]))
                if name in ends:
                    await process.run_to_end()
                elif services[name].get("restart") == "on-failure":
                    await _until_it_succeeds(process)
                else:
                    running.push_async_callback(process.stop)
                    await process.start()
            await demo.play("full", Here(PORTS), str(self._logs), print)

    def _command(self, name: str, service: Service) -> Command:
        log = self._logs / f"{name}.log"
        words, user, prepare = argv(service), None, None
        if service["image"].startswith("postgres:"):
            data = self._logs / "data"
            words = (f"{POSTGRESQL}/{words[0]}", "-D", str(data), *words[1:])
            user, prepare = "postgres", lambda: self._initialise(service, data)
        return Command(
            name=name,
            argv=words,
            environment=environment(service),
            log=log,
            ready=lambda: _healthy(service),
            prepare=prepare,
            user=user,
        )

    async def _initialise(self, service: Service, data: Path) -> None:
        """What the official image does with its variables and its start-up scripts."""
        given = service["environment"]
        user = given["POSTGRES_USER"]
        (script,) = self._file["configs"].values()
        password = self._logs / "password"
        password.write_text(given["POSTGRES_PASSWORD"])
        os.mkdir(data)
        shutil.chown(data, "postgres")
        secured = f"--username={user} --auth=scram-sha-256 --pwfile={password}"
        await _as_owner(f"initdb -D {data} {secured}")
        alone = f"postgres --single -D {data} postgres"
        await _as_owner(alone, f"CREATE DATABASE {user}\n{script['content']}")


async def _as_owner(command: str, told: str = "") -> None:
    child = await asyncio.create_subprocess_exec(
        *f"{POSTGRESQL}/{command}".split(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        **as_user("postgres"),
    )
    await child.communicate(told.encode())
    assert child.returncode == 0, command


async def _until_it_succeeds(process: Process) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                return await process.run_to_end()
            except PartFailed:
                await asyncio.sleep(0.1)


def _needs(service: Service) -> list[tuple[str, str]]:
    needs = service.get("depends_on", {})
    pairs = needs.items() if isinstance(needs, dict) else ((n, {}) for n in needs)
    return [(name, how.get("condition", "service_started")) for name, how in pairs]


async def _healthy(service: Service) -> bool:
    check = service.get("healthcheck")
    if check is None:
        return True
    assert check["test"][0] == "CMD"
    child = await asyncio.create_subprocess_exec(
        *check["test"][1:],
        env=environment(service),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await child.wait() == 0


def main() -> None:
    logs = Path(sys.argv[1])
    asyncio.run(Composed(logs).run())


if __name__ == "__main__":
    main()
