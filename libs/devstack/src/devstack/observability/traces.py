"""`dev --traces`: takes spans by OTLP (gRPC), and shows them by HTTP as text.

`GET /` has the newest traces, `GET /{trace id}` one of them, `GET /latest?root=NAME`
the newest that began with such a span; with `until=NAME` the answer waits some seconds
for a span of that name. An API's answer names its trace in `X-Request-Id`. Nothing is
kept when it stops.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from grpc import aio  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from devstack.observability.spans import Span, Traces, as_tree, read_spans
from devstack.ports import HOST

SHOWN = 20
PATIENCE_SECONDS = 10.0


class _Receiver:
    """The OTLP service, as the generated code wants it."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    async def Export(
        self, sent: ExportTraceServiceRequest, _: Any
    ) -> ExportTraceServiceResponse:
        await self._traces.add(read_spans(sent))
        return ExportTraceServiceResponse()


@asynccontextmanager
async def receiving(traces: Traces, port: int) -> AsyncIterator[int]:
    """Take spans on `port` of loopback, 0 for a free one; yields the port."""
    server = aio.server()
    register = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    register(_Receiver(traces), server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(grace=None)


def create_app(traces: Traces, otlp_port: int) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with receiving(traces, otlp_port):
            yield

    app = FastAPI(title="Traces", lifespan=lifespan)

    @app.get("/", response_class=PlainTextResponse)
    async def newest() -> str:
        trees = [as_tree(spans) for spans in traces.newest_first()[:SHOWN]]
        return "\n".join(trees) or "No traces yet.\n"

    @app.get("/latest", response_class=PlainTextResponse)
    async def latest(root: str, until: str | None = None) -> str:
        return await one(lambda: traces.latest(root), until)

    @app.get("/{trace_id}", response_class=PlainTextResponse)
    async def named(trace_id: str, until: str | None = None) -> str:
        return await one(lambda: traces.of(trace_id), until)

    async def one(find: Callable[[], list[Span]], until: str | None) -> str:
        if until is not None:
            await traces.until(find, until, PATIENCE_SECONDS)
        return as_tree(find()) or "No such trace.\n"

    return app


def serve(
    otlp_port: Annotated[int, typer.Option()],
    http_port: Annotated[int, typer.Option()],
) -> None:
    """Take spans by OTLP and show them by HTTP, on loopback."""
    app = create_app(Traces(), otlp_port)
    uvicorn.run(app, host=HOST, port=http_port, log_level="info", access_log=False)


if __name__ == "__main__":
    typer.run(serve)
