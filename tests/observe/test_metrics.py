"""Dashboards, alerts, runbooks and the table name metrics that are really served."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from devstack.observability.prometheus import RULES, rules

from tests.observe.conftest import Seen
from tests.observe.promql import Known, problems, read_page, together
from tests.observe.sources import MONITORING, ROOT, TEMPORAL_METRICS
from tests.observe.test_runbooks import PAGES, blocks

OF_OTHERS = {
    # Prometheus itself says who is up.
    "up": frozenset[str](),
    "certmanager_certificate_expiration_timestamp_seconds": frozenset[str](),
    "cnpg_pg_stat_archiver_last_archived_time": frozenset[str](),
    "cnpg_pg_stat_archiver_last_failed_time": frozenset[str](),
    "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp": frozenset[str](),
}
DASHBOARDS = sorted((MONITORING / "dashboards").glob("*.json"))


def of_temporal(listed: dict[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """Recorded names as they are scraped: the SDK's are listed without the suffixes
    that we ask for."""
    for side, metrics in listed.items():
        for name, metric in metrics.items():
            labels = frozenset(metric["labels"])
            match side, metric["type"]:
                case "sdk", "counter":
                    yield f"{name}_total", labels
                case "sdk", "histogram":
                    yield f"{name}_seconds_bucket", labels | {"le"}
                case _, "histogram":
                    yield f"{name}_bucket", labels | {"le"}
                    yield f"{name}_count", labels
                case _:
                    yield name, labels


@pytest.fixture(scope="session")
def known(seen: Seen) -> Known:
    recorded = json.loads(TEMPORAL_METRICS.read_text())
    temporal = [{name: labels} for name, labels in of_temporal(recorded)]
    pages = [read_page(page) for page in seen.pages.values()]
    return together([OF_OTHERS, *temporal, *pages])


def expressions() -> Iterator[tuple[str, str]]:
    for group in rules(ROOT / RULES)["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", target["expr"]
    for page in PAGES:
        for expression in blocks(page, "promql"):
            yield page.stem, expression


def test_every_metric_and_label_that_is_used_exists(known: Known) -> None:
    wrong = {
        where: found
        for where, expression in expressions()
        if (found := problems(expression, known))
    }
    assert wrong == {}


def test_a_legend_names_only_labels_that_its_query_groups_by() -> None:
    for file in DASHBOARDS:
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                    assert re.search(rf"by \([^)]*\b{label}\b", target["expr"])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("orders_holds_overdue", "orders_hold_overdue"),
        ("(reason)", "(reasons)"),
        ("persistence_errors", "temporal_persistence_errors_total"),
        ("status_code=~", "grpc_code=~"),
        ("http_server_request_duration_seconds", "http_requests_duration_seconds"),
        ("approximate_backlog_count", "temporal_task_queue_lag"),
    ],
)
def test_a_wrong_name_is_found(known: Known, right: str, wrong: str) -> None:
    changed = [e.replace(right, wrong) for _, e in expressions() if right in e]
    assert changed
    assert all(problems(expression, known) for expression in changed)


def test_the_table_says_what_is_served(seen: Seen) -> None:
    pages = together(read_page(page) for page in seen.pages.values())
    assert documented() == {
        name: labels
        for name, labels in _families(pages).items()
        # The SDK's, the runtime's and the exporter's own have their own books.
        if not re.match(r"(temporal|process|python)_|target_info", name)
    }


def documented() -> dict[str, set[str]]:
    """The rows of docs/observability.md: | `name` | unit | `label`, `label` | … |"""
    text = (ROOT / "docs/observability.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \|[^|]+\|([^|]*)\|", text, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def _families(page: Known) -> dict[str, set[str]]:
    """A histogram is one thing; what the exporter adds to labels is none, and whether
    an exception ended a request is chance."""
    found: dict[str, set[str]] = {}
    for name, labels in page.items():
        family = re.sub(r"_(bucket|count|sum)$", "", name)
        if f"{family}_bucket" not in page:
            family = name
        own = {n for n in labels if not re.match(r"le$|error_type$|otel_scope", n)}
        found.setdefault(family, set()).update(own)
    return found


def test_a_page_counts_each_thing_once(seen: Seen) -> None:
    for page in seen.pages.values():
        types = re.findall(r"^# TYPE (\S+)", page, re.MULTILINE)
        assert len(types) == len(set(types))


def test_waiting_times_have_buckets_that_tell_something(seen: Seen) -> None:
    page = seen.pages["temporal-worker"]
    name = "temporal_workflow_task_schedule_to_start_latency_seconds_bucket"
    buckets = {float(le) for le in re.findall(rf'{name}{{[^}}]*le="([\d.]+)"', page)}
    assert {0.01, 0.1, 1, 10} <= buckets


def test_what_happened_was_counted(seen: Seen) -> None:
    worker, api = seen.pages["temporal-worker"], seen.pages["fastapi-service"]
    assert _value(api, "orders_placed_total") == 2
    assert _value(worker, "orders_confirmed_total") == 2
    assert _value(worker, 'orders_cancelled_total{reason="customer-request"}') == 1
    assert _value(worker, 'orders_captures_total{outcome="succeeded"}') == 1
    assert _value(worker, "orders_time_to_shipment_seconds_count") == 1
    assert _value(worker, "database_figures_up") == 1


def _value(page: str, sample: str) -> float:
    (value,) = re.findall(rf"^{re.escape(sample)} (\S+)$", page, re.MULTILINE)
    return float(value)
