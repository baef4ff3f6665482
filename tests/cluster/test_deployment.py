"""Each environment is deployed, released, rolled back and drained in a cluster."""

import pytest

from tests.cluster import nodes
from tests.cluster.control_plane import until_empty
from tests.cluster.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_dry_run_on_an_empty_cluster_names_what_is_new(deployed: Stage) -> None:
    assert deployed.first
    empty, _ = deployed.first
    assert (empty.returncode, empty.stderr) == (0, ""), empty.stdout
    assert "new: temporal-product Deployment temporal-worker" in empty.stdout
    assert "kinds that the operators bring first: " in empty.stdout
    assert "refused" not in empty.stdout


def test_the_first_deployment_ends_well(deployed: Stage) -> None:
    assert deployed.first
    _, done = deployed.first
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("WRONG")] == []
    assert said[-1] == "all is well"


def test_every_pod_has_a_node_of_the_documented_size(deployed: Stage) -> None:
    pods = deployed.plane.items("pods", "--all-namespaces")
    waiting = [
        pod["metadata"]["name"]
        for pod in pods
        if pod["status"]["phase"] not in ("Running", "Succeeded")
    ]
    assert len(pods) > 10
    assert waiting == []


def test_a_dry_run_of_what_runs_finds_no_difference(deployed: Stage) -> None:
    done = deployed.script("deploy", "--dry-run")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert [
        line
        for line in done.stdout.splitlines()
        # Hooks are made anew by each sync.
        if not line.startswith("--- ") and " Job " not in line
    ] == []


def test_a_release_is_shown_then_rolled_out_then_rolled_back(deployed: Stage) -> None:
    before = deployed.running_images()
    digest = deployed.release(2)
    shown = deployed.script("deploy", "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stdout
    assert f"@{digest}" in shown.stdout
    assert "new: temporal-product Job orders-migrations" in shown.stdout
    done = deployed.script("deploy", "--timeout=240")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert deployed.running_images() == {digest}
    deployed.roll_back()
    done = deployed.script("deploy", "--timeout=240")
    assert done.returncode == 0, done.stdout
    assert deployed.running_images() == before


def test_a_node_can_be_drained(deployed: Stage) -> None:
    node = f"{nodes.ZONES[0]}-0"
    drain = ("drain", node, "--ignore-daemonsets", "--delete-emptydir-data")
    deployed.plane.kubectl(*drain, "--timeout=90s")

    def left() -> list[str]:
        on_it = ("pods", "--all-namespaces", f"--field-selector=spec.nodeName={node}")
        owners = [
            (pod["metadata"]["name"], pod["metadata"]["ownerReferences"][0]["kind"])
            for pod in deployed.plane.items(*on_it)
        ]
        return [name for name, kind in owners if kind not in ("DaemonSet", "Job")]

    until_empty(left)
    if deployed.name == "development":
        # The disk of its only database is on that node.
        deployed.plane.kubectl("uncordon", node)
    deployed.settle()
    deployed.plane.kubectl("uncordon", node)
