"""Measures each page of the console in the shop that `dev --seed-shop` fills: time,
processor time and size."""

import re
import time
from collections.abc import Mapping
from typing import Any

import httpx2
from devstack.seed.seeding import ORDERS, seed_shop
from devstack.services import Addresses

from benchmarks.processes import pids_of, used_by
from benchmarks.system import running
from benchmarks.throughput import percentiles

Json = dict[str, Any]
COUNTED = ("console", "api", "postgres")
KIB = 1024


async def measure(orders: int, visits: int) -> Json:
    """One page at a time, each `visits` times after a few that warm it up. `first_kib`
    is the first page with all that it loads, compressed as it is sent."""
    async with running() as stack:
        await seed_shop(stack.at, print, orders=orders)
        async with _visitor(stack.at) as http:
            pids = pids_of(stack)
            found = [
                {"page": name, **await _page(http, path, visits, pids)}
                for name, path in (await _pages(stack.at)).items()
            ]
            first = await _first(http)
    _print(found, first)
    return {"orders": orders, "first_kib": first, "pages": found}


def _visitor(at: Addresses) -> httpx2.AsyncClient:
    """The console takes a visitor without a session for its first person, who may see
    everything."""
    return httpx2.AsyncClient(
        base_url=at.console,
        trust_env=False,
        timeout=60,
        headers={"Accept-Encoding": "gzip"},
    )


async def _pages(at: Addresses) -> Mapping[str, str]:
    """One of each kind: what there is most of on each."""
    headers = {"X-Dev-User": "bench", "X-Dev-Scopes": "admin"}
    async with httpx2.AsyncClient(
        base_url=at.api, trust_env=False, headers=headers
    ) as api:

        async def first(path: str) -> Json:
            rows: list[Json] = (await api.get(path)).raise_for_status().json()["data"]
            return rows[0]

        hold = await first("/v1/holds")
        order = await first("/v1/orders?status=completed&limit=1")
        ready = await first("/v1/shipments?status=ready&limit=1")
        back = await first("/v1/returns?limit=1")
        stock = await first("/v1/stock?limit=1")
    return {
        "now": "/",
        "now: beside": "/now/beside",
        "now: books": "/now/audit",
        "late parcels": "/now/late",
        "a hold": f"/holds/{hold['id']}",
        "orders": "/orders",
        "orders: filtered": "/orders?status=confirmed&status=placed",
        "an order": f"/orders/{order['id']}",
        "bench": "/bench",
        "bench: many": "/bench/many",
        "a parcel": f"/bench/{ready['id']}",
        "returns": "/returns",
        "a return": f"/returns/{back['id']}",
        "stock": "/stock",
        "a product": f"/stock/{stock['sku']}",
        "locations": "/locations",
        "books": "/books",
        "events": "/events",
        "exports": "/exports",
    }


async def _page(
    http: httpx2.AsyncClient, path: str, visits: int, pids: Mapping[str, int]
) -> Json:
    for _ in range(3):
        answer = (await http.get(path)).raise_for_status()
    seconds = []
    with used_by(pids) as usage:
        for _ in range(visits):
            began = time.perf_counter()
            await http.get(path)
            seconds.append(time.perf_counter() - began)
    cpu = {part: 1000 * usage.cpu_seconds[part] / visits for part in COUNTED}
    size = int(answer.headers.get("content-length", len(answer.content)))
    return percentiles(seconds) | {"cpu_ms": cpu, "kib": size / KIB}


async def _first(http: httpx2.AsyncClient) -> float:
    page = await http.get("/")
    sizes = [int(page.headers["content-length"])]
    for asset in set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.text)):
        sizes.append(int((await http.get(asset)).headers["content-length"]))
    return sum(sizes) / KIB


def _print(found: list[Json], first: float) -> None:
    print(f"{'page':18} {'p50 ms':>8} {'p95 ms':>8} {'cpu ms':>8} {'KiB':>8}")
    for page in found:
        cpu = sum(page["cpu_ms"].values())
        print(
            f"{page['page']:18} {page['p50']:8.1f} {page['p95']:8.1f} {cpu:8.1f}"
            f" {page['kib']:8.1f}"
        )
    print(f"The first page with all that it loads: {first:.1f} KiB")


FULL, QUICK = (ORDERS, 50), (60, 10)
