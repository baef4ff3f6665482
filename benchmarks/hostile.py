"""How long the API's event loop is held by one hostile body: by every route that takes
one, in every shape that costs, as large as that route reads; and by the largest order,
which is accepted.

Bytes are written to bare connections, so that what the benchmark does itself, in the
same moments, is next to nothing.
"""

import asyncio
import json
import re
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from api.http.admission import MAX_DEPTH, MAX_DIGITS, MAX_ESCAPES, MAX_VALUES
from api.http.request_limits import MAX_BODY_BYTES, USUAL_BODY_BYTES

from benchmarks.processes import loop_seconds, pids_of
from benchmarks.shop import open_shop, order_of, sku
from benchmarks.system import running

Json = dict[str, Any]

OPENAPI = Path(__file__).parents[1] / "services/api/openapi.json"
LARGE = ("/v1/orders", "/v1/webhooks/{source}")
"""These read `MAX_BODY_BYTES`, all others `USUAL_BODY_BYTES`."""
IN_PATHS = {"source": "stripe", "sku": "SKU-1", "code": "standard", "seq": "1"}
"""What stands in a path where no id does."""
NO_ID = "ord_00000000000000000000000000"
UNLIMITED = {
    "API_RATE_LIMIT": "1000000/minute",
    "API_STRANGER_LIMIT": "1000000/minute",
}


async def measure(times: int) -> Json:
    """For each route its costliest shape: by how many milliseconds it holds up another
    request, in the median and at most; and the processor time that the loop's thread
    takes for it, more than which it cannot be held up by it."""
    async with (
        running(("postgres", "temporal", "api"), **UNLIMITED) as stack,
        open_shop(stack.at) as shop,
        _connection(stack.at.api) as sender,
        _connection(stack.at.api) as another,
    ):
        api = pids_of(stack)["api"]
        alone = statistics.median([await _ask(another) for _ in range(200)])

        async def figures(method: str, path: str, body: Callable[[], bytes]) -> Json:
            held = [
                await _held(sender, another, method, path, body()) - alone
                for _ in range(times)
            ]
            used = [
                await _used(sender, api, method, path, body()) for _ in range(times)
            ]
            return {
                "bytes": len(body()),
                "median_ms": 1000 * statistics.median(held),
                "most_ms": 1000 * max(held),
                "cpu_ms": 1000 * statistics.median(used),
            }

        routes: Json = {}
        for method, path in routes_with_bodies():
            shapes = {
                shape: await figures(method, path, partial(bytes, body))
                for shape, body in shapes_of(path)
            }
            routes[f"{method.upper()} {path}"] = _costliest(shapes)
        products = [sku(number) for number in range(1, 501)]
        await shop.stock(*products)
        before = await shop.database.fetchval("SELECT count(*) FROM orders")
        accepted = await figures(
            "post", "/v1/orders", lambda: json.dumps(order_of(products)).encode()
        )
        after = await shop.database.fetchval("SELECT count(*) FROM orders")
        if after - before != 2 * times:
            raise RuntimeError("an order of 500 lines was refused")
    return {
        "requests_of_each_shape": times,
        "another_request_alone_ms": 1000 * alone,
        "routes_below_5_ms": sum(one["median_ms"] < 5 for one in routes.values()),
        "routes_below_5_ms_of_processor": sum(
            one["cpu_ms"] < 5 for one in routes.values()
        ),
        "costliest": _costliest(routes),
        "an_order_of_500_lines": accepted,
        "routes": routes,
    }


def _costliest(found: Json) -> Json:
    name, figures = max(found.items(), key=lambda item: float(item[1]["cpu_ms"]))
    return {"of": name, **figures}


def routes_with_bodies() -> Iterator[tuple[str, str]]:
    for path, operations in json.loads(OPENAPI.read_text())["paths"].items():
        for method, operation in operations.items():
            if "requestBody" in operation:
                yield method, path


def shapes_of(path: str) -> Iterator[tuple[str, bytes]]:
    """What is let in, by a hair, and is costly to count, to parse, or to fault."""
    largest = MAX_BODY_BYTES if path in LARGE else USUAL_BODY_BYTES
    few = MAX_VALUES - 100
    shapes: dict[str, object] = {
        "members": {f"m{n}": 1 for n in range(few // 2)},
        "metadata": {"metadata": {f"m{n}": "x" for n in range(few // 2)}},
        "lines of nothing": {"lines": [{}] * (few // 2)},
        "lines of numbers": {"lines": [0] * few},
        "wrong lines": {"lines": [{"sku": "?", "quantity": 0}] * 500},
        "depth": {"lines": _nested(MAX_DEPTH - 1)},
        "long numbers": {"lines": [10 ** (MAX_DIGITS - 1)] * (few // 2)},
        "escapes": {"note": '"' * (MAX_ESCAPES // 2 - 100)},
        "one long text": {"note": "x" * largest},
        "long texts": {"lines": ["x" * (largest // few)] * few},
        "wide characters": {"note": "\U0001f4a9" * largest},
    }
    for shape, content in shapes.items():
        yield shape, _cut(content, largest)
    yield "no JSON at all", b"x" * largest


def _cut(content: object, largest: int) -> bytes:
    """As many of it as fit."""
    body = json.dumps(content, ensure_ascii=False).encode()
    if len(body) <= largest or not isinstance(content, dict):
        return body
    (name, value), *more = content.items()
    if more:
        return _cut(dict(list(content.items())[: len(content) // 2]), largest)
    if isinstance(value, dict):
        value = dict(list(value.items())[: len(value) * largest // len(body) - 1])
    else:
        value = value[: len(value) * largest // len(body) - 20]
    return json.dumps({name: value}, ensure_ascii=False).encode()


def _nested(depth: int) -> object:
    inner: object = 1
    for _ in range(depth):
        inner = [inner]
    return inner


class _Connection:
    """HTTP/1.1 on a connection that is kept, for answers that say their length."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes) -> int:
        """The status of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await self._reader.readexactly(int(length[1]) if length else 0)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def _connection(api: str) -> AsyncIterator[_Connection]:
    host, _, port = api.removeprefix("http://").partition(":")
    connection = _Connection(*await asyncio.open_connection(host, int(port)))
    yield connection
    connection.close()


async def _send(sender: _Connection, method: str, path: str, body: bytes) -> None:
    address = re.sub(r"{(\w+)}", lambda m: IN_PATHS.get(m[1], NO_ID), path)
    head = (
        f"{method.upper()} {address} HTTP/1.1\r\nHost: api\r\nIf-Match: *\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Idempotency-Key: {uuid.uuid4()}\r\n\r\n"
    )
    status = await sender.ask(head.encode() + body)
    if status >= 500:
        raise RuntimeError(f"{method} {path} answered {status}")


async def _held(
    sender: _Connection, another: _Connection, method: str, path: str, body: bytes
) -> float:
    """The slowest answer that somebody else gets while this one is served."""
    sending = asyncio.create_task(_send(sender, method, path, body))
    slowest = 0.0
    while not sending.done():
        slowest = max(slowest, await _ask(another))
    await sending
    return slowest


async def _used(
    sender: _Connection, api: int, method: str, path: str, body: bytes
) -> float:
    before = loop_seconds(api)
    await _send(sender, method, path, body)
    # What is left to do after the answer belongs to it.
    await asyncio.sleep(0.01)
    return loop_seconds(api) - before


async def _ask(another: _Connection) -> float:
    began = time.perf_counter()
    await another.ask(b"GET /health HTTP/1.1\r\nHost: api\r\n\r\n")
    return time.perf_counter() - began
