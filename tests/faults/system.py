"""The whole system in processes of its own, with a proxy wherever two parts meet."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from devstack.ports import HOST, Ports, free_ports
from devstack.stack import Options, Stack
from devstack.subprocess import Command

from tests.faults.plan import LINKS, Link, Part
from tests.faults.proxy import Proxy

Proxies = Mapping[Link, Proxy]


@dataclass(frozen=True)
class System:
    stack: Stack
    proxies: Proxies

    @property
    def logs(self) -> Path:
        return self.stack.options.data / "logs"


@asynccontextmanager
async def running_system(data: Path) -> AsyncIterator[System]:
    """Everything `dev` starts, kept in `data`. Raises what `Stack` raises."""
    ports = free_ports()
    async with AsyncExitStack() as resources:
        proxies = {
            link: await resources.enter_async_context(
                Proxy(_port(ports, link.callee)).running()
            )
            for link in LINKS
        }
        options = Options(data=data, ports=ports, ui=False)
        stack = await resources.enter_async_context(_Rerouted(options, proxies))
        yield System(stack, proxies)


class _Rerouted(Stack):
    """A stack whose parts reach one another through proxies."""

    def __init__(self, options: Options, proxies: Proxies) -> None:
        super().__init__(options)
        self._proxies = proxies

    def _commands(self, http: httpx2.AsyncClient) -> list[Command]:
        return [self._rerouted(command) for command in super()._commands(http)]

    def _rerouted(self, command: Command) -> Command:
        for link, proxy in self._proxies.items():
            if link.caller == command.name:
                direct = _port(self.options.ports, link.callee)
                command = _with(command, direct, proxy.port)
        return command


def _with(command: Command, direct: int, proxied: int) -> Command:
    """The same command with another port in the addresses of its peers. Its own stay
    what they are."""

    def told(value: str) -> str:
        if value == str(direct):
            return str(proxied)
        return value.replace(f"{HOST}:{direct}", f"{HOST}:{proxied}")

    return replace(
        command,
        argv=tuple(map(told, command.argv)),
        environment={name: told(value) for name, value in command.environment.items()},
    )


def _port(ports: Ports, part: Part) -> int:
    """Where its peers call it."""
    port: int = ports.smtp if part is Part.MAIL else getattr(ports, part)
    return port
