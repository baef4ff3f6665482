"""What validate.sh finds wrong with an object, by the status its controller wrote."""

from typing import Any

import pytest

from scripts.health import KINDS, problem
from scripts.kubectl import kind_of
from tests.deploy.healthy import healthy
from tests.deploy.rendering import ENVIRONMENTS, Manifest, environment, of_kind

MADE: list[Manifest] = [
    {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "elasticsearch-es-default"},
        "spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
    },
    {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "security"},
        "spec": {},
    },
]
"""Kinds that no overlay has."""


OF = {kind: group for group, kind in KINDS}
"""The group of each kind."""


def one(kind: str) -> Manifest:
    for name in reversed(ENVIRONMENTS):
        for manifest in [*environment(name), *MADE]:
            if kind_of(manifest) == (OF[kind], kind):
                return manifest
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", sorted(OF))
def test_what_its_controller_calls_well_is_well(kind: str) -> None:
    assert problem(healthy(one(kind))) is None


def test_what_only_has_the_name_of_a_kind_is_not_taken_for_one() -> None:
    """Gravitee has Applications as well, and says nothing of them."""
    found = of_kind(environment("production"), "Application")
    assert [m["apiVersion"] for m in found] == ["gravitee.io/v1alpha1"]
    assert [problem(m) for m in found] == [None]


@pytest.mark.parametrize("kind", sorted(OF))
def test_what_nobody_has_looked_at_is_not_well(kind: str) -> None:
    assert problem({**healthy(one(kind)), "status": {"desiredNumberScheduled": 1}})


def of(kind: str, **status: Any) -> Manifest:
    made = healthy(one(kind))
    return {**made, "status": {**made["status"], **status}}


def false(kind: str, message: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "False", "message": message}]}


@pytest.mark.parametrize(
    ("kind", "status", "says"),
    [
        ("Deployment", {"availableReplicas": 0}, "availableReplicas 0 of"),
        ("Deployment", {"replicas": 100}, "old pods have not ended"),
        ("Deployment", {"observedGeneration": 0}, "has not seen the last change"),
        ("StatefulSet", {"readyReplicas": 2}, "readyReplicas 2 of 3"),
        ("DaemonSet", {"numberAvailable": 2}, "numberAvailable 2 of 3"),
        ("PersistentVolumeClaim", {"phase": "Pending"}, "is Pending"),
        ("HorizontalPodAutoscaler", false("AbleToScale", "x"), "not AbleToScale"),
        ("ExternalSecret", false("Ready", "denied"), "is not Ready: denied"),
        ("Certificate", {"notAfter": "2020-01-01T00:00:00Z"}, "ends 2020-01-01"),
        ("Gateway", false("Accepted", "no class"), "no class"),
        ("HTTPRoute", {"parents": []}, "no gateway has taken it"),
        ("Ingress", {"loadBalancer": {}}, "no controller"),
        ("Elasticsearch", {"health": "yellow"}, "is yellow, Ready"),
        ("Cluster", {"phase": "Failing over"}, "Failing over"),
        ("Cluster", {"readyInstances": 0}, "0 of"),
        ("Application", {"sync": {"status": "OutOfSync"}}, "is OutOfSync and Healthy"),
    ],
)
def test_what_is_wrong_is_said(kind: str, status: dict[str, Any], says: str) -> None:
    assert says in (problem(of(kind, **status)) or "")


def test_a_failed_job_says_why() -> None:
    failed = {"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}
    made = of("Job", conditions=[failed])
    assert problem(made) == "failed: BackoffLimitExceeded"


@pytest.mark.parametrize("state", ["Paused", "Fallback"])
def test_an_autoscaler_that_does_not_scale_is_not_well(state: str) -> None:
    ready = {"type": "Ready", "status": "True"}
    made = of("ScaledObject", conditions=[ready, {"type": state, "status": "True"}])
    assert problem(made)
