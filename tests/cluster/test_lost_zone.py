"""A zone is gone, and the rest scales and takes a release. The last of its cluster."""

from typing import Any

import pytest

from tests.cluster import nodes
from tests.cluster.stage import Stage
from tests.deploy.rendering import environment, named

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OF_NODES = {"fluent-bit"}
"""One pod for each node, whether the node is there or not."""
OF_DISKS = {
    "elasticsearch-es-default",
    "orders-postgresql",
    "temporal-postgresql",
    "jaeger",
}
"""Each of their disks is in one zone: two of three instances are left, or none."""


@pytest.fixture
def production(deployed: Stage) -> Stage:
    if deployed.name != "production":
        pytest.skip("production alone is in three zones")
    return deployed


def test_what_is_left_scales_and_takes_a_release(production: Stage) -> None:
    lost = nodes.ZONES[2]
    production.plane.lose(lost)
    # Without it pods of StatefulSets stay where nobody can say that they have ended.
    off = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
    production.plane.kubectl("taint", "nodes", f"--selector={nodes.ZONE}={lost}", off)
    production.settle(besides=OF_NODES | OF_DISKS)
    for kind, name in (
        ("ScaledObject", "temporal-worker"),
        ("HorizontalPodAutoscaler", "fastapi-service"),
        ("HorizontalPodAutoscaler", "console"),
    ):
        _scale(production, name, most(kind, name))
    production.settle(besides=OF_NODES | OF_DISKS)
    digest = production.release(3)
    production.argocd.bring("temporal-product")
    production.settle(besides=OF_NODES | OF_DISKS)
    assert production.running_images() == {digest}


def most(kind: str, name: str) -> int:
    """As many as the autoscaler may ask for."""
    spec: dict[str, Any] = named(environment("production"), kind, name)["spec"]
    count: int = spec.get("maxReplicas") or spec["maxReplicaCount"]
    return count


def _scale(production: Stage, name: str, replicas: int) -> None:
    where = "--namespace=temporal-product"
    deployment = f"deployment/{name}"
    production.plane.kubectl("scale", deployment, where, f"--replicas={replicas}")
