"""Manifests and code agree on variables, task queues and search attributes."""

import datetime
from collections.abc import Iterable
from pathlib import Path

import pytest
from api.settings import ApiSettings, DelivererSettings
from console.settings import ConsoleSettings
from cryptography.fernet import Fernet
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from shared.contracts.orders.names import TASK_QUEUES
from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
from worker.settings import WorkerSettings

from tests.deploy.cluster import Cluster, cluster, key
from tests.deploy.rendering import (
    ENVIRONMENTS,
    environment,
    named,
    of_kind,
    workloads,
)
from tests.deploy.settings import differences, environment_of
from tests.support.links import LINK_KEYS

SERVICES: dict[str, type[BaseSettings]] = {
    "temporal-worker": WorkerSettings,
    "fastapi-service": ApiSettings,
    "webhook-deliverer": DelivererSettings,
    "console": ConsoleSettings,
}

SECRETS = {"DATABASE_URL": "postgresql://user:password@host/orders"}
"""Stand-ins for what comes from Vault, where not any text will do."""


@pytest.fixture(params=ENVIRONMENTS)
def built(request: pytest.FixtureRequest) -> Cluster:
    return cluster(environment(request.param))


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_read_and_every_required_one_given(
    built: Cluster, service: str
) -> None:
    given = environment_of(built, service)
    assert list(differences(given, SERVICES[service])) == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_service_accepts_the_values(
    built: Cluster, service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable, value in environment_of(built, service).items():
        secret = SECRETS.get(variable, "whsec_c2VjcmV0")
        monkeypatch.setenv(variable, secret if value is None else value)
    for variable, content in mounted(built, service).items():
        file = tmp_path / variable
        file.write_text(content)
        monkeypatch.setenv(variable, str(file))
    SERVICES[service]()


def mounted(built: Cluster, service: str) -> dict[str, str]:
    """What a pod finds where its Secrets are mounted."""
    keys = {
        "CONSOLE_SESSION_KEYS_FILE": Fernet.generate_key().decode(),
        "ORDER_LINK_KEYS_FILE": LINK_KEYS.get_secret_value(),
    }
    given = environment_of(built, service)
    return {
        variable: content for variable, content in keys.items() if variable in given
    }


def test_a_value_that_the_service_refuses_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    production = cluster(environment("production"))
    for variable, value in environment_of(production, "temporal-worker").items():
        monkeypatch.setenv(variable, value or SECRETS.get(variable, "secret"))
    monkeypatch.setenv("CARRIER", "pigeon")
    with pytest.raises(ValidationError):
        WorkerSettings()


def test_the_names_people_type_are_kept(built: Cluster) -> None:
    for service in ("temporal-worker", "fastapi-service"):
        given = environment_of(built, service)
        assert given.keys() >= {"TEMPORAL_HOST", "TEMPORAL_NAMESPACE", "DATABASE_URL"}


def test_migrations_run_as_the_owner_and_services_do_not(built: Cluster) -> None:
    assert _database_secret(built, "orders-migrations") == "app-database-owner-secret"
    assert _database_secret(built, "temporal-worker") == "app-database-secret"
    assert _database_secret(built, "fastapi-service") == "app-database-secret"
    assert _database_secret(built, "webhook-deliverer") == "app-database-secret"


def _database_secret(built: Cluster, workload: str) -> str:
    for manifest, template in workloads(built.manifests):
        if key(manifest)[1] == workload:
            (container,) = template["spec"]["containers"]
            for variable in container["env"]:
                if variable["name"] == "DATABASE_URL":
                    return str(variable["valueFrom"]["secretKeyRef"]["name"])
    raise AssertionError(workload)


def test_the_namespace_job_makes_what_the_worker_needs(built: Cluster) -> None:
    job = environment_of(built, "temporal-namespace")
    worker = environment_of(built, "temporal-worker")
    assert job["TEMPORAL_NAMESPACE"] == worker["TEMPORAL_NAMESPACE"]
    assert _attributes(str(job["SEARCH_ATTRIBUTES"]).split()) == {
        a.name: a.indexed_value_type.name for a in SEARCH_ATTRIBUTES
    }


def _attributes(pairs: Iterable[str]) -> dict[str, str]:
    """`OrderId=Keyword` as the SDK names it: OrderId, KEYWORD."""
    spelled = {"Keyword": "KEYWORD", "KeywordList": "KEYWORD_LIST"}
    split = (pair.split("=") for pair in pairs)
    return {name: spelled[kind] for name, kind in split}


def test_keda_watches_every_task_queue() -> None:
    production = environment("production")
    scaled = named(production, "ScaledObject", "temporal-worker")
    metadata = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
    worker = environment_of(cluster(production), "temporal-worker")
    assert [m["taskQueue"] for m in metadata] == list(TASK_QUEUES)
    assert {m["namespace"] for m in metadata} == {worker["TEMPORAL_NAMESPACE"]}
    assert {m["endpoint"] for m in metadata} == {worker["TEMPORAL_HOST"]}


def test_a_pod_is_given_longer_than_its_process_takes_to_stop(built: Cluster) -> None:
    worker = named(built.manifests, "Deployment", "temporal-worker")
    given = worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    drain = int(str(environment_of(built, "temporal-worker")[_GRACE]))
    assert given >= drain + 15
    api = named(built.manifests, "Deployment", "fastapi-service")["spec"]["template"]
    (container,) = api["spec"]["containers"]
    asleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drains: datetime.timedelta = ApiSettings.model_fields["api_drain"].default
    assert api["spec"]["terminationGracePeriodSeconds"] >= (
        asleep + drains.total_seconds() + 15
    )


_GRACE = "GRACEFUL_SHUTDOWN_SECONDS"


def test_ports_are_those_the_services_listen_on(built: Cluster) -> None:
    for service, ports in {
        "temporal-worker": {"metrics": "metrics_port"},
        "fastapi-service": {"http": "api_port", "metrics": "metrics_port"},
        "webhook-deliverer": {"metrics": "metrics_port"},
        "console": {"http": "console_port", "metrics": "metrics_port"},
    }.items():
        deployment = named(built.manifests, "Deployment", service)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        opened = {p["name"]: p["containerPort"] for p in container["ports"]}
        given = environment_of(built, service)
        fields = SERVICES[service].model_fields
        expected = {
            name: int(given.get(field.upper()) or fields[field].default)
            for name, field in ports.items()
        }
        assert opened == expected


def test_connections_of_all_pods_fit_into_the_databases() -> None:
    production = cluster(environment("production"))
    most = {
        m["metadata"]["name"]: m["spec"].get("maxReplicaCount")
        or m["spec"].get("maxReplicas")
        for m in of_kind(
            production.manifests, "ScaledObject", "HorizontalPodAutoscaler"
        )
    }
    # It has no database.
    del most["console"]
    pool = int(str(environment_of(production, "temporal-worker")["DATABASE_POOL_SIZE"]))
    # One more of each pod while it is rolled, one more connection each to listen.
    assert set(most) == {"temporal-worker", "fastapi-service"}
    deliverer = named(production.manifests, "Deployment", "webhook-deliverer")
    most["webhook-deliverer"] = deliverer["spec"]["replicas"]
    wanted = sum((pods + 1) * (pool + 1) for pods in most.values())
    assert wanted < _max_connections(production, "orders-postgresql")


def test_connections_of_the_server_fit_into_its_database() -> None:
    production = cluster(environment("production"))
    pods = [
        d["spec"]["replicas"] + 1
        for d in of_kind(production.manifests, "Deployment")
        if d["metadata"]["labels"].get("app.kubernetes.io/name") == "temporal-server"
    ]
    # Two stores of 20 connections each.
    assert sum(pods) * 2 * 20 < _max_connections(production, "temporal-postgresql")


def _max_connections(built: Cluster, name: str) -> int:
    database = named(built.manifests, "Cluster", name)
    return int(database["spec"]["postgresql"]["parameters"]["max_connections"])
