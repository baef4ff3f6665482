"""What a running system leaves behind outside of PostgreSQL, as bytes by its place."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from devstack.ports import HOST
from grpc import aio  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from temporalio.client import Client

Places = Mapping[str, bytes]


def people_in(places: Places, words: Iterable[str]) -> dict[str, set[str]]:
    """Where one of the words is, with what stands around it, whatever their case."""
    wanted = [word.lower().encode() for word in words]
    found = {place: _found(left, wanted) for place, left in places.items()}
    return {place: hits for place, hits in found.items() if hits}


def _found(left: bytes, wanted: Iterable[bytes]) -> set[str]:
    lowered = left.lower()
    return {_around(left, lowered.find(word)) for word in wanted if word in lowered}


def _around(left: bytes, at: int) -> str:
    return left[max(at - 80, 0) : at + 80].decode(errors="replace")


async def histories(client: Client) -> Places:
    """Every event of every workflow, with its memo and search attributes."""
    places: dict[str, bytes] = {}
    async for found in client.list_workflows():
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        history = await handle.fetch_history()
        description = await handle.describe()
        events = b"".join(event.SerializeToString() for event in history.events)
        place = f"workflow {found.id} {found.run_id}"
        places[place] = events + description.raw_description.SerializeToString()
    return places


def logs(directory: Path) -> Places:
    return {f"log {file.name}": file.read_bytes() for file in directory.glob("*.log")}


async def pages(http: httpx2.AsyncClient, urls: Iterable[str]) -> Places:
    return {f"page {url}": (await http.get(url)).content for url in urls}


class _Collector:
    """The OTLP service, as the generated code wants it: keeps what it is sent whole."""

    def __init__(self, spans: list[bytes]) -> None:
        self._spans = spans

    async def Export(
        self, sent: ExportTraceServiceRequest, _: Any
    ) -> ExportTraceServiceResponse:
        self._spans.append(sent.SerializeToString())
        return ExportTraceServiceResponse()


@asynccontextmanager
async def collecting(spans: list[bytes], port: int) -> AsyncIterator[None]:
    server = aio.server()
    register = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    register(_Collector(spans), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(grace=None)


@dataclass
class Refusals:
    """An event hook for `httpx2`: what callers were refused with."""

    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, answer: httpx2.Response) -> None:
        if answer.status_code >= 400:
            self.bodies.append(await answer.aread())
