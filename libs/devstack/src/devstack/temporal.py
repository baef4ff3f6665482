"""The Temporal dev server from a wheel, as a child process."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx2

from devstack.ports import HOST, Ports
from devstack.probe import answers
from devstack.subprocess import Command, PartFailed

NAMESPACE = "default"


def temporal(
    ports: Ports,
    log: Path,
    *,
    http: httpx2.AsyncClient,
    database: Path | None = None,
    namespaces: Iterable[str] = (),
    search_attributes: Mapping[str, str] | None = None,
    dynamic_config: Mapping[str, str] | None = None,
    ui: bool = True,
    codec: str | None = None,
) -> Command:
    """A Temporal server with everything in one process.

    `database` keeps its state between runs; without, it lives in memory. `default` and
    `namespaces` all get the `search_attributes` (name to type, such as `Keyword`).
    The UI has payloads decoded at `codec`. Values of `dynamic_config` are JSON. Ready
    once the last namespace can be used.
    """
    names = tuple(namespaces)
    argv = [
        *(
            temporal_binary(),
            "server",
            "start-dev",
            "--ip",
            HOST,
            "--log-level",
            "warn",
        ),
        *("--port", str(ports.temporal), "--http-port", str(ports.temporal_http)),
        *("--metrics-port", str(ports.temporal_metrics)),
        *(("--ui-port", str(ports.temporal_ui)) if ui else ("--headless",)),
        "--ui-disable-news-fetch",
        *(("--ui-codec-endpoint", codec) if codec else ()),
        *(("--db-filename", str(database)) if database else ()),
        *_repeated("--namespace", names),
        *_repeated("--search-attribute", _pairs(search_attributes)),
        *_repeated("--dynamic-config-value", _pairs(dynamic_config)),
    ]
    last = (NAMESPACE, *names)[-1]
    url = f"http://{HOST}:{ports.temporal_http}/api/v1/namespaces/{last}"
    return Command(
        name="temporal",
        argv=tuple(argv),
        environment=_environment(),
        log=log,
        ready=lambda: answers(http, url),
    )


def search_attributes() -> dict[str, str]:
    """The search attributes that the workers need, as `temporal` takes them."""
    # Here, because loading the SDK takes longer than all of `dev --help`.
    from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
    from temporalio.common import SearchAttributeIndexedValueType

    def spelled(kind: SearchAttributeIndexedValueType) -> str:
        return kind.name.title().replace("_", "")

    return {key.name: spelled(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}


def _repeated(flag: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


def _pairs(values: Mapping[str, str] | None) -> list[str]:
    return [f"{name}={value}" for name, value in (values or {}).items()]


def _environment() -> dict[str, str]:
    # The command line reads TEMPORAL_* as its own options.
    return {k: v for k, v in os.environ.items() if not k.startswith("TEMPORAL_")}


def temporal_binary() -> str:
    # The wheel puts it beside the interpreter, which need not be on the PATH.
    beside = Path(sys.executable).parent
    path = shutil.which("temporal", path=f"{beside}{os.pathsep}{os.environ['PATH']}")
    if path is None:
        raise PartFailed("The temporal command line is missing: run uv sync")
    return path
