"""What a worker tells is told once, however often its workflows are replayed."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import structlog
import worker.runtime.service
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from shared.database.engine import Engine
from shared.platform.logging import configure_logging
from shared.platform.metrics import ProcessMetrics
from shared.platform.settings import ObservabilitySettings, TemporalSettings
from shared.platform.temporal import connect
from temporalio.client import Client
from temporalio.contrib.opentelemetry import create_tracer_provider
from temporalio.worker import Worker

from tests.conftest import MakeWorkerSettings, OpenShop
from tests.observe.telling import Tell, ask, first_task_fails
from tests.support import infrastructure
from tests.support.working import working


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = create_tracer_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # The public way allows it once a process, and this one has more tests to run.
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    return exporter


async def test_no_span_is_doubled_when_nothing_is_cached(
    spans: InMemorySpanExporter,
    services: infrastructure.Services,
    open_shop: OpenShop,
    worker_settings: MakeWorkerSettings,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forgetful = partial(Worker, max_cached_workflows=0)
    monkeypatch.setattr(worker.runtime.service, "Worker", forgetful)
    client = await connect(
        TemporalSettings(
            temporal_host=services.temporal,
            temporal_namespace=await services.namespace(),
        )
    )
    async with open_shop(client) as shop, working(worker_settings(), engine, client):
        order_id = await shop.confirmed(TEA=1)
        await shop.delivered(order_id)
        await shop.ended(order_id)
    seen = Counter(span.name for span in spans.get_finished_spans())
    for step in ("authorize", "pick", "capture", "buy_label", "ship"):
        assert (step, seen[f"StartActivity:{step}"]) == (step, 1)
        assert (step, seen[f"RunActivity:{step}"]) == (step, 1)
    assert seen["RunWorkflow:Order"] == 1


@contextmanager
def logging_as_deployed() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(ObservabilitySettings(log_format="json"), service="worker")
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()


async def test_a_workflow_logs_once_and_the_core_into_the_same_stream(
    services: infrastructure.Services, capsys: pytest.CaptureFixture[str]
) -> None:
    first_task_fails.append(True)
    client = await Client.connect(
        services.temporal,
        namespace=await services.namespace(),
        runtime=ProcessMetrics().runtime,
    )
    forgetful = Worker(
        client,
        task_queue="tell",
        workflows=[Tell],
        activities=[ask],
        max_cached_workflows=0,
    )
    with logging_as_deployed():
        async with forgetful:
            handle = await client.start_workflow(
                Tell.run, id="order/o1", task_queue="tell"
            )
            await handle.result()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = (line for line in lines if line["event"] == "told")
    assert told["order_id"] == "o1"
    assert told["workflow_id"] == "order/o1"
    assert told["run_id"] == handle.first_execution_run_id
    (asked,) = (line for line in lines if line["event"] == "asked")
    assert asked["workflow_id"] == "order/o1"
    of_core = [line for line in lines if line["logger"] == "temporalio.core"]
    assert any("run_id" in str(line["core"]) for line in of_core)
