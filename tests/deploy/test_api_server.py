"""Production, given to a real API server with the operators' kinds.

Runs where `etcd` and `kube-apiserver` are on PATH (docs/how-to/try-a-cluster.md).
"""

import copy
import shutil
from collections.abc import Iterator

import pytest

from tests.deploy.api_server import ApiServer, api_server
from tests.deploy.cluster import key
from tests.deploy.definitions import definitions
from tests.deploy.rendering import (
    ENVIRONMENTS,
    Manifest,
    environment,
    named,
    of_kind,
    workloads,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    for name in ("etcd", "kube-apiserver"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed (docs/how-to/try-a-cluster.md)")
    kinds = definitions()
    with api_server(tmp_path_factory.mktemp("server")) as started:
        started.apply(kinds)
        established = ("wait", "--for=condition=Established", "crd", "--all")
        assert started.kubectl(*established).returncode == 0
        yield started


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_taken_without_a_warning(
    server: ApiServer, name: str
) -> None:
    made = environment(name)
    # A job cannot be changed, so Argo CD deletes it first: BeforeHookCreation.
    server.kubectl("delete", "jobs", "--all", "--all-namespaces")
    server.apply(of_kind(made, "Namespace"))
    said = server.apply([m for m in made if m["kind"] != "Namespace"])
    assert [line for line in said.splitlines() if "Warning" in line] == []


def test_a_pod_that_may_run_as_root_is_warned_of(server: ApiServer) -> None:
    made = environment("production")
    server.apply(of_kind(made, "Namespace"))
    api = copy.deepcopy(named(made, "Deployment", "fastapi-service"))
    api["metadata"]["name"] = "root"
    del api["spec"]["template"]["spec"]["securityContext"]
    assert 'would violate PodSecurity "restricted' in server.apply([api])


@pytest.mark.timeout(300)
def test_a_pod_of_each_template_is_taken_too(server: ApiServer) -> None:
    """The server looks at a pod more closely than at the template it is made of."""
    made = environment("production")
    server.apply(of_kind(made, "Namespace"))
    server.apply(of_kind(made, "ServiceAccount", "PriorityClass"))
    said = server.apply([pod_of(m, template) for m, template in workloads(made)])
    assert [line for line in said.splitlines() if "Warning" in line] == []


def pod_of(manifest: Manifest, template: Manifest) -> Manifest:
    """As a controller makes it."""
    namespace, name = key(manifest)
    labels = template["metadata"]["labels"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": template["spec"],
    }
