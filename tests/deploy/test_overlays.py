"""What is in Git would be accepted by a cluster and would find all it names."""

import pytest
import yaml
from api.settings import ApiSettings, CodecSettings
from pydantic_settings import BaseSettings
from worker.settings import WorkerSettings

from tests.deploy import pods, ports, references, waves
from tests.deploy.cluster import Cluster, cluster
from tests.deploy.rendering import (
    ENVIRONMENTS,
    base_with,
    environment,
    of_kind,
    overlay,
)
from tests.deploy.settings import differences, environment_of


@pytest.fixture(params=ENVIRONMENTS)
def built(request: pytest.FixtureRequest) -> Cluster:
    return cluster(environment(request.param))


def test_every_name_that_is_referred_to_exists(built: Cluster) -> None:
    assert references.missing_names(built) == []


def test_every_selector_selects_one_workload(built: Cluster) -> None:
    assert references.unselected(built) == []


def test_every_object_is_in_a_namespace_or_of_the_cluster(built: Cluster) -> None:
    assert references.misplaced(built) == []


def test_every_port_that_is_named_is_open(built: Cluster) -> None:
    assert ports.closed_doors(built) == []


def test_every_pod_is_restricted_bounded_and_released(built: Cluster) -> None:
    assert pods.shortcomings(built.manifests) == []


def test_nothing_starts_before_what_it_needs(built: Cluster) -> None:
    assert waves.too_early(built) == []


def test_no_disk_waits_for_a_pod_of_a_later_wave(built: Cluster) -> None:
    assert waves.waiting_claims(built) == []


def test_no_object_is_in_two_applications(built: Cluster) -> None:
    seen = [
        (m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"])
        for m in built.manifests
    ]
    assert sorted({i for i in seen if seen.count(i) > 1}, key=str) == []


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("Cluster", "temporal-postgresql"), ("Job", "temporal-schema-update")),
        (("Database", "temporal-visibility"), ("Job", "temporal-schema-update")),
        (("Job", "temporal-schema-update"), ("Deployment", "temporal-frontend")),
        (("Deployment", "temporal-frontend"), ("Job", "temporal-namespace")),
        (("Cluster", "orders-postgresql"), ("Job", "orders-migrations")),
        (("Job", "orders-migrations"), ("Deployment", "temporal-worker")),
        (("Job", "orders-migrations"), ("Deployment", "fastapi-service")),
        (("Job", "orders-migrations"), ("Deployment", "webhook-deliverer")),
    ],
)
def test_jobs_stand_between_what_they_need_and_what_needs_them(
    built: Cluster, first: tuple[str, str], then: tuple[str, str]
) -> None:
    assert waves.wave_of(built, *first) < waves.wave_of(built, *then)


def test_nothing_waits_for_a_public_certificate_but_the_gateway_it_comes_through(
    built: Cluster,
) -> None:
    """It waits for DNS, and at each renewal again: no roll-out may wait with it."""
    doors = ("Gateway", "HTTPRoute", "GRPCRoute", "BackendTLSPolicy", "Ingress")
    used = yaml.safe_dump(of_kind(built.manifests, "Ingress", "Gateway"))
    public = [
        m
        for m in of_kind(built.manifests, "Certificate")
        if f": {m['spec']['secretName']}\n" in used
    ]
    assert len(public) == 4
    last = min(waves.wave(m) for m in public)
    others = [m for m in built.manifests if m not in public]
    assert all(waves.wave(m) < last for m in others if m["kind"] not in doors)
    assert all(waves.wave(m) <= last for m in others)


def encrypted() -> Cluster:
    """Production's services with keys for their payloads."""
    components = ("tls", "external-secrets", "sso", "payload-encryption")
    around = (overlay("production", s) for s in ("security", "temporal-backend"))
    made = [m for system in around for m in system]
    return cluster([*made, *base_with("temporal-product", components)])


def test_encrypted_payloads_bring_all_they_name() -> None:
    assert references.missing_names(encrypted()) == []
    assert references.unselected(encrypted()) == []


def test_everybody_who_reads_payloads_is_given_the_keys() -> None:
    readers: dict[str, tuple[type[BaseSettings], bool]] = {
        "temporal-worker": (WorkerSettings, True),
        "fastapi-service": (ApiSettings, True),
        "codec-server": (CodecSettings, False),
    }
    for name, (cls, writes) in readers.items():
        given = environment_of(encrypted(), name)
        assert given["TEMPORAL_PAYLOAD_KEYS_FILE"] == "/etc/orders/payload-keys/keys"
        assert ("TEMPORAL_PAYLOAD_ACTIVE_KEY" in given) is writes
        assert list(differences(given, cls)) == []
