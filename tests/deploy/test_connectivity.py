"""The NetworkPolicies allow what is needed, and nothing else."""

import pytest

from tests.deploy.cluster import Cluster, cluster
from tests.deploy.connectivity import connections, table, wanted
from tests.deploy.rendering import DEPLOY, ENVIRONMENTS, environment, of_kind


def network(name: str) -> Cluster:
    return cluster(environment(name))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_a_pod_is_told_to_call_it_may_call(name: str) -> None:
    built = network(name)
    allowed = connections(built)
    calls = list(wanted(built))
    assert len(calls) > 10
    assert [
        (source, target, port)
        for source, target, port in calls
        if port not in allowed.get((source, target), frozenset())
    ] == []


def test_the_table_in_the_documentation_is_what_the_policies_say() -> None:
    page = (DEPLOY / "connectivity.md").read_text().splitlines()
    written = [row for row in page if row.startswith("|")][2:]
    assert written == table(connections(network("production")))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_only_the_server_and_its_operators_reach_the_internal_frontend(
    name: str,
) -> None:
    door = "temporal-backend/temporal-internal-frontend"
    callers = {
        source
        for (source, target), ports in connections(network(name)).items()
        if target == door and 7236 in ports
    }
    # What the server does by workflows of its own begins there too.
    assert callers == {
        "temporal-backend/temporal-history",
        "temporal-backend/temporal-internal-frontend",
        "temporal-backend/temporal-system-worker",
        "temporal-backend/temporal-admin-tools",
        "temporal-backend/temporal-namespace",
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nothing_outside_reaches_a_database_or_the_metrics(name: str) -> None:
    outside = {"the internet", "ingress-nginx/controller"}
    reached = {
        (target, port)
        for (source, target), ports in connections(network(name)).items()
        if source in outside
        for port in ports
    }
    assert {
        (t, p) for t, p in reached if not t.endswith(("acme-solver", "gateway-public"))
    } == {
        ("temporal-backend/temporal-frontend", 7233),
        ("temporal-backend/temporal-web", 8080),
        ("temporal-product/fastapi-service", 8000),
        ("temporal-product/console", 8000),
    }


@pytest.mark.parametrize("pod", ["prometheus", "alertmanager"])
def test_the_reloaders_that_the_charts_monitors_name_are_scraped(pod: str) -> None:
    allowed = connections(network("production"))
    assert 8080 in allowed["monitoring/prometheus", f"monitoring/{pod}"]


def test_prometheus_reaches_every_pod_with_a_monitor_and_no_port_besides() -> None:
    built = network("production")
    monitored = {
        (f"{pod.namespace}/{pod.name}", pod.ports[endpoint["port"]])
        for monitor in of_kind(built.manifests, "PodMonitor")
        for namespace in monitor["spec"]["namespaceSelector"]["matchNames"]
        for pod in built.selected(
            namespace, monitor["spec"]["selector"].get("matchLabels", {})
        )
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
        if endpoint["port"] in pod.ports
    }
    allowed = connections(built)
    reached = {
        (target, port)
        for (source, target), ports in allowed.items()
        if source == "monitoring/prometheus"
        for port in ports
    }
    assert monitored <= reached
    assert not {port for _, port in reached} & {5432, 7233, 8000, 9200}


def test_logs_may_go_to_a_store_outside_the_cluster() -> None:
    allowed = connections(network("production"))
    assert allowed["logging/fluent-bit", "a log store outside"] == {24224}


@pytest.mark.parametrize("job", ["admission-create", "admission-patch"])
def test_a_chart_s_job_reaches_the_api_server(job: str) -> None:
    allowed = connections(network("production"))
    assert allowed[f"monitoring/{job}", "the API server"] == {443, 6443}
