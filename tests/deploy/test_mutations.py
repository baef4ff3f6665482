"""The checks can fail: one side of an agreement is changed, and a check says so."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from api.settings import ApiSettings

from tests.deploy import pods, ports, references, waves
from tests.deploy.cluster import Cluster, cluster
from tests.deploy.connectivity import connections, wanted
from tests.deploy.rendering import Manifest, environment, named
from tests.deploy.settings import differences, environment_of

Manifests = tuple[Manifest, ...]
Check = Callable[[Cluster], list[str]]


def production() -> Manifests:
    return copy.deepcopy(environment("production"))


def container(made: Manifests, name: str) -> dict[str, Any]:
    pod = named(made, "Deployment", name)["spec"]["template"]["spec"]
    only: dict[str, Any]
    (only,) = pod["containers"]
    return only


def a_port_of_a_pod(made: Manifests) -> None:
    container(made, "fastapi-service")["ports"][0]["name"] = "web"


def a_port_of_a_service(made: Manifests) -> None:
    named(made, "Service", "temporal-frontend")["spec"]["ports"][0]["port"] = 7234


def a_port_of_a_probe(made: Manifests) -> None:
    probe = container(made, "temporal-worker")["readinessProbe"]
    probe["httpGet"]["port"] = "http"


def a_port_of_an_ingress(made: Manifests) -> None:
    rule = named(made, "Ingress", "fastapi-ingress")["spec"]["rules"][0]
    rule["http"]["paths"][0]["backend"]["service"]["port"]["number"] = 8000


def a_port_of_a_monitor(made: Manifests) -> None:
    monitor = named(made, "PodMonitor", "temporal-worker")
    monitor["spec"]["podMetricsEndpoints"][0]["port"] = "http"


def the_address_of_the_collector(made: Manifests) -> None:
    collector = named(made, "OpenTelemetryCollector", "temporal-otel")
    collector["metadata"]["name"] = "otel"


def the_name_of_a_service(made: Manifests) -> None:
    named(made, "Service", "temporal-web")["metadata"]["name"] = "temporal-ui"


@pytest.mark.parametrize(
    "change",
    [
        a_port_of_a_pod,
        a_port_of_a_service,
        a_port_of_a_probe,
        a_port_of_an_ingress,
        a_port_of_a_monitor,
        the_address_of_the_collector,
        the_name_of_a_service,
    ],
)
def test_a_port_or_address_changed_on_one_side_fails(
    change: Callable[[Manifests], None],
) -> None:
    made = production()
    change(made)
    assert ports.closed_doors(cluster(made)) != []


def a_key_of_a_secret(made: Manifests) -> None:
    data = named(made, "ExternalSecret", "stripe")["spec"]["data"]
    data[0]["secretKey"] = "key"


def the_name_of_a_secret(made: Manifests) -> None:
    certificate = named(made, "Certificate", "temporal-client-tls")
    certificate["spec"]["secretName"] = "temporal-tls"


def the_name_of_a_config_map(made: Manifests) -> None:
    sources = container(made, "temporal-worker")["envFrom"]
    sources[0]["configMapRef"]["name"] = "orders-env"


def the_name_of_an_account(made: Manifests) -> None:
    named(made, "ServiceAccount", "fastapi-service")["metadata"]["name"] = "api"


def the_name_of_a_database(made: Manifests) -> None:
    named(made, "Cluster", "orders-postgresql")["metadata"]["name"] = "postgresql"


def the_name_of_an_authority(made: Manifests) -> None:
    named(made, "ClusterIssuer", "temporal-frontend-ca")["metadata"]["name"] = "ca"


def the_name_of_a_deployment(made: Manifests) -> None:
    named(made, "Deployment", "temporal-worker")["metadata"]["name"] = "worker"


@pytest.mark.parametrize(
    "change",
    [
        a_key_of_a_secret,
        the_name_of_a_secret,
        the_name_of_a_config_map,
        the_name_of_an_account,
        the_name_of_a_database,
        the_name_of_an_authority,
        the_name_of_a_deployment,
    ],
)
def test_a_name_or_key_changed_on_one_side_fails(
    change: Callable[[Manifests], None],
) -> None:
    made = production()
    change(made)
    assert references.missing_names(cluster(made)) != []


def a_label_of_a_pod(made: Manifests) -> None:
    deployment = named(made, "Deployment", "temporal-worker")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    labels["app.kubernetes.io/name"] = "worker"


def test_a_label_changed_on_one_side_fails() -> None:
    made = production()
    a_label_of_a_pod(made)
    assert references.unselected(cluster(made)) != []


def test_a_variable_renamed_on_one_side_fails() -> None:
    made = production()
    for variable in container(made, "fastapi-service")["env"]:
        if variable["name"] == "DATABASE_URL":
            variable["name"] = "DB_URL"
    given = environment_of(cluster(made), "fastapi-service")
    problems = [p for p in differences(given, ApiSettings) if "OIDC" not in p]
    assert problems == [
        "DB_URL is given and not read by ApiSettings",
        "DATABASE_URL is required by ApiSettings and not given",
    ]


def test_a_connection_that_one_side_forgets_fails() -> None:
    made = production()
    policy = named(made, "NetworkPolicy", "temporal-frontend")
    (rule,) = policy["spec"]["ingress"]
    rule["from"] = [p for p in rule["from"] if "temporal-worker" not in str(p)]
    built = cluster(made)
    allowed = connections(built)
    refused = {
        source
        for source, target, port in wanted(built)
        if port not in allowed.get((source, target), frozenset())
    }
    assert refused == {"temporal-product/temporal-worker"}


def latest(api: dict[str, Any]) -> None:
    api["image"] = "jfrog.example.com/fastapi-service:latest"


def from_anywhere(api: dict[str, Any]) -> None:
    api["image"] = "docker.io/library/python:3.13"


def without_limits(api: dict[str, Any]) -> None:
    del api["resources"]["limits"]


def without_readiness(api: dict[str, Any]) -> None:
    del api["readinessProbe"]


def writable(api: dict[str, Any]) -> None:
    api["securityContext"]["readOnlyRootFilesystem"] = False


@pytest.mark.parametrize(
    "change", [latest, from_anywhere, without_limits, without_readiness, writable]
)
def test_a_pod_that_is_not_as_pods_are_fails(
    change: Callable[[dict[str, Any]], None],
) -> None:
    made = production()
    change(container(made, "fastapi-service"))
    assert len(pods.shortcomings(made)) == 1


def test_a_secret_that_comes_too_late_fails() -> None:
    made = production()
    secret = named(made, "ExternalSecret", "app-database-owner")
    secret["metadata"]["annotations"][waves.WAVE] = "0"
    problems = waves.too_early(cluster(made))
    assert len(problems) == 1
    assert "orders-migrations" in problems[0]
