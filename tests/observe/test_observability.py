"""`dev --traces` and `dev --observe`: what they show, and where they cannot."""

import os
import re
import shutil
from pathlib import Path

import httpx2
import pytest
from devstack.observability.prometheus import NoPrometheus, prometheus
from devstack.observability.spans import Span, Traces, as_tree
from devstack.observability.traces import create_app
from devstack.ports import free_ports
from devstack.stack import Options, Stack

from tests.observe.sources import ROOT
from tests.observe.test_alerts import ALERTS

MILLISECOND = 1_000_000


def a_span(id: str, parent: str = "", **changed: object) -> Span:
    values = {
        "trace_id": "t1",
        "service": "api",
        "name": id,
        "started_ns": 0,
        "ended_ns": MILLISECOND,
        "failed": False,
    }
    return Span(id=id, parent_id=parent, **(values | changed))  # type: ignore[arg-type]


def test_a_trace_is_told_as_a_tree_in_the_order_of_time() -> None:
    spans = [
        a_span("later", "root", started_ns=5 * MILLISECOND, ended_ns=9 * MILLISECOND),
        a_span("root"),
        a_span("child", "first", service="worker", failed=True),
        a_span("first", "root", started_ns=2 * MILLISECOND, ended_ns=3 * MILLISECOND),
    ]
    assert as_tree(spans).splitlines() == [
        "trace t1, 4 spans",
        "root  [api]  +0.0 ms  1.0 ms",
        "├─ first  [api]  +2.0 ms  1.0 ms",
        "│  └─ child  [worker]  +0.0 ms  1.0 ms  FAILED",
        "└─ later  [api]  +5.0 ms  4.0 ms",
    ]


def test_a_span_whose_parent_is_still_open_stands_at_the_top() -> None:
    assert "… step  [api]" in as_tree([a_span("step", "workflow")])


async def test_the_page_has_the_newest_trace_of_a_kind() -> None:
    traces = Traces()
    await traces.add([a_span("old", trace_id="t1", name="POST /v1/orders")])
    await traces.add([a_span("new", trace_id="t2", name="POST /v1/orders")])
    await traces.add([a_span("other", trace_id="t3", name="GET /v1/orders")])
    transport = httpx2.ASGITransport(create_app(traces, 0))
    async with httpx2.AsyncClient(transport=transport, base_url="http://seen") as http:
        latest = await http.get("/latest", params={"root": "POST /v1/orders"})
        assert latest.text.startswith("trace t2, ")
        assert (await http.get("/t1")).text.startswith("trace t1, ")
        assert (await http.get("/")).text.startswith("trace t3, ")


async def test_prometheus_loads_every_rule(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        assert os.environ.get("CI") != "true", "the pipeline must have prometheus"
        pytest.skip("no prometheus: it is a Debian package")
    options = Options(
        data=tmp_path, ports=free_ports(), parts=("prometheus",), project=ROOT
    )
    async with Stack(options) as stack, httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{stack.at.prometheus}/api/v1/rules")
        used = await http.get(f"{stack.at.prometheus}/api/v1/status/config")
    loaded = [r["name"] for g in answer.json()["data"]["groups"] for r in g["rules"]]
    assert sorted(loaded) == sorted(rule["alert"] for rule in ALERTS)
    jobs = re.findall(r"job_name: (\S+)", used.json()["data"]["yaml"])
    assert sorted(jobs) == [
        "fastapi-service",
        "temporal-server",
        "temporal-worker",
        "webhook-deliverer",
    ]


async def test_without_the_program_it_says_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with httpx2.AsyncClient() as http:
        with pytest.raises(NoPrometheus, match="package prometheus"):
            prometheus(free_ports(), tmp_path, ROOT, http=http)
