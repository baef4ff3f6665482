"""The NetworkPolicies allow what is needed, and nothing else."""

import pytest

from tests.deploy.cluster import Cluster, cluster
from tests.deploy.connectivity import connections, table, wanted
from tests.deploy.rendering import DEPLOY, ENVIRONMENTS, environment


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
    }


@pytest.mark.parametrize("job", ["admission-create", "admission-patch"])
def test_a_chart_s_job_reaches_the_api_server(job: str) -> None:
    allowed = connections(network("production"))
    assert allowed[f"monitoring/{job}", "the API server"] == {443, 6443}
