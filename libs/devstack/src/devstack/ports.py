"""The TCP ports of the stack: the well-known ones, or any that are free."""

import random
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

HOST = "127.0.0.1"

# Below the ephemeral ranges of Linux (32768-60999) and macOS (49152-65535). A client
# that keeps dialling a dead port inside that range can be given the very same port as
# its source, connects to itself, and then the restarted server cannot bind.
_FREE_RANGE = range(15_000, 32_000)


class PortTaken(Exception):
    """Something else listens on a port the stack needs; the message names both."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One port for each listener. The defaults are the ones people expect."""

    postgres: int = 5432
    temporal: int = 7233
    temporal_http: int = 7243
    temporal_ui: int = 8233
    temporal_metrics: int = 9233
    payments: int = 12111
    carrier: int = 12121
    smtp: int = 1025
    mail: int = 8025
    worker: int = 8080
    api: int = 8000
    api_metrics: int = 8001
    console: int = 8088
    console_metrics: int = 8089
    deliverer: int = 8083
    issuer: int = 9000
    codec: int = 8081
    codec_metrics: int = 8082
    traces: int = 4317
    traces_page: int = 4318
    prometheus: int = 9090

    def of_part(self, part: str) -> dict[str, int]:
        """The ports that `part` listens on, by name."""
        return {
            name: port for name, port in asdict(self).items() if _part(name) == part
        }


def free_ports() -> Ports:
    """Pick a free port for every listener. Another process may still grab one of them
    before it is used; the part then fails to start and says so."""
    free = some_free()
    return Ports(**{field.name: next(free) for field in fields(Ports)})


def some_free() -> Iterator[int]:
    """Free ports in no order, none of which a client is given as its source."""
    candidates = random.SystemRandom().sample(_FREE_RANGE, len(_FREE_RANGE))
    return (port for port in candidates if not is_taken(port))


def check_free(ports: Ports, parts: Iterable[str]) -> None:
    """Raise `PortTaken`, naming every port of `parts` in use and who wants it."""
    taken = [
        f"port {port} is taken, and {part} needs it"
        + (f" (for its {name.removeprefix(f'{part}_')})" if name != part else "")
        for part in parts
        for name, port in ports.of_part(part).items()
        if is_taken(port)
    ]
    if taken:
        raise PortTaken(
            ".\n".join(line.capitalize() for line in taken)
            + ".\nStop what listens there, or use free ports: uv run dev --ports auto"
        )


def is_taken(port: int) -> bool:
    """Whether something on this machine listens on `port`."""
    with socket.socket() as probe:
        # macOS lets a loopback address be bound beside a wildcard listener: ask first.
        if probe.connect_ex((HOST, port)) == 0:
            return True
    with socket.socket() as probe:
        # Without it, a closed connection in TIME_WAIT would count as a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _part(name: str) -> str:
    return "mail" if name == "smtp" else name.split("_")[0]
