"""What is in Git would be accepted by a cluster and would find all it names."""

import pytest

from tests.deploy import pods, ports, references, waves
from tests.deploy.cluster import Cluster, cluster
from tests.deploy.rendering import ENVIRONMENTS, environment


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
    ],
)
def test_jobs_stand_between_what_they_need_and_what_needs_them(
    built: Cluster, first: tuple[str, str], then: tuple[str, str]
) -> None:
    assert waves.wave_of(built, *first) < waves.wave_of(built, *then)
