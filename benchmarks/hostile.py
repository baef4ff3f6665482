"""How long the API's event loop is held by one hostile body: by every route that takes
one, in every shape that costs, as large as that route reads."""

import asyncio
import json
import re
import statistics
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from api.http.door import MAX_DEPTH, MAX_DIGITS, MAX_ESCAPES, MAX_VALUES
from api.http.request_limits import MAX_BODY_BYTES, USUAL_BODY_BYTES

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
    request, in the median and at most."""
    async with (
        running(("postgres", "temporal", "api"), **UNLIMITED) as stack,
        httpx2.AsyncClient(base_url=stack.at.api, trust_env=False) as sender,
        httpx2.AsyncClient(base_url=stack.at.api, trust_env=False) as another,
    ):
        alone = statistics.median([await _ask(another) for _ in range(200)])
        routes: Json = {}
        for method, path in routes_with_bodies():
            shapes = {}
            for shape, body in shapes_of(path):
                held = [
                    await _held(sender, another, method, path, body) - alone
                    for _ in range(times)
                ]
                shapes[shape] = {
                    "bytes": len(body),
                    "median_ms": 1000 * statistics.median(held),
                    "most_ms": 1000 * max(held),
                }
            routes[f"{method.upper()} {path}"] = _costliest(shapes)
    return {
        "requests_of_each_shape": times,
        "another_request_alone_ms": 1000 * alone,
        "costliest": _costliest(routes),
        "routes": routes,
    }


def _costliest(found: Json) -> Json:
    name, figures = max(found.items(), key=lambda item: float(item[1]["median_ms"]))
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


async def _held(
    sender: httpx2.AsyncClient,
    another: httpx2.AsyncClient,
    method: str,
    path: str,
    body: bytes,
) -> float:
    """The slowest answer that somebody else gets while this one is served."""
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
        "If-Match": "*",
    }
    address = re.sub(r"{(\w+)}", lambda m: IN_PATHS.get(m[1], NO_ID), path)
    sending = asyncio.create_task(
        sender.request(method, address, content=body, headers=headers)
    )
    slowest = 0.0
    while not sending.done():
        slowest = max(slowest, await _ask(another))
    answer = await sending
    if answer.status_code >= 500:
        raise RuntimeError(f"{method} {path} answered {answer.status_code}")
    return slowest


async def _ask(another: httpx2.AsyncClient) -> float:
    began = time.perf_counter()
    await another.get("/health")
    return time.perf_counter() - began
