"""An environment in a cluster, and the repository that it follows."""

import contextlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import yaml

from scripts.cluster import CRDS
from scripts.health import problem
from tests.cluster import nodes, operators
from tests.cluster.argocd import ArgoCD
from tests.cluster.control_plane import ControlPlane, control_plane, until_empty
from tests.deploy.definitions import definitions
from tests.deploy.pipeline import images
from tests.deploy.rendering import DEPLOY, Manifest, label
from tests.ship.repository import commit, git, working_tree

BROUGHT = {"argoproj.io", "metrics.k8s.io", *CRDS}
"""Kinds that a cluster has before anything of ours (docs/deployment.md)."""
ASKED_FOR = [
    ("acme.cert-manager.io/v1", "Challenge"),
    ("gateway.networking.k8s.io/v1", "GatewayClass"),
    ("metrics.k8s.io/v1beta1", "PodMetrics"),
    ("postgresql.cnpg.io/v1", "Backup"),
]
"""Kinds that scripts and how-tos ask for, and no manifest has."""


@dataclass
class Stage:
    name: str
    plane: ControlPlane
    repository: Path
    argocd: ArgoCD
    first: tuple[CompletedProcess[str], CompletedProcess[str]] | None = None
    """A dry run on the empty cluster, and the first deployment."""

    def script(self, name: str, *words: str) -> CompletedProcess[str]:
        return self.plane.run(self.repository, f"scripts/{name}.sh", *words, self.name)

    def release(self, number: int) -> str:
        """As the pipeline's job writes it: the digest of our images."""
        self.argocd.rest()
        digest = f"sha256:{number:064x}"
        chosen = [f"{image}={number:040x}@{digest}" for image in images()]
        done = self.plane.run(
            self.repository, ".gitlab/promote.sh", self.name, "--files", *chosen
        )
        assert done.returncode == 0, done.stderr
        commit(self.repository, f"chore(deploy): run {number}")
        return digest

    def roll_back(self) -> None:
        git(self.repository, "revert", "--no-edit", "HEAD")

    def workloads(self) -> list[Manifest]:
        return self.plane.items(
            "deployments,statefulsets,daemonsets,jobs", "--all-namespaces"
        )

    def settle(self, besides: Container[str] = ()) -> None:
        """Wait until every workload is well."""
        until_empty(
            lambda: [
                f"{label(w)} {problem(w)}"
                for w in self.workloads()
                if problem(w) and w["metadata"]["name"] not in besides
            ]
        )

    def running_images(self) -> set[str]:
        pods = self.plane.items("pods", "--namespace=temporal-product")
        return {
            container["image"].partition("@")[2]
            for pod in pods
            if pod["status"]["phase"] == "Running"
            and "deletionTimestamp" not in pod["metadata"]
            for container in pod["spec"]["containers"]
            if container["image"].startswith(
                tuple(f"jfrog.example.com/{image}" for image in images())
            )
        }


@contextlib.contextmanager
def stage(name: str, folder: Path) -> Iterator[Stage]:
    """A cluster to which the environment was deployed for the first time."""
    root = yaml.safe_load((DEPLOY / f"argocd/root/{name}.yaml").read_text())
    repository = working_tree(folder / "repository")
    branch = root["spec"]["source"]["targetRevision"]
    git(repository, "branch", "--move", branch)
    git(repository, "remote", "add", "origin", str(repository))
    with control_plane(folder, nodes.SIZES[name]) as plane:
        made = Stage(name, plane, repository, ArgoCD(plane, repository))
        made.release(1)
        kinds = definitions(ASKED_FOR)
        brought = [k for k in kinds if k["spec"]["group"] in BROUGHT]
        _define(plane, brought)
        given = [*operators.BROUGHT, *operators.volumes(nodes.ZONES)]
        plane.kubectl("create", "--filename=-", objects=given)
        empty = made.script("deploy", "--dry-run")
        _define(plane, [k for k in kinds if k not in brought])
        with made.argocd:
            made.first = empty, made.script("deploy", "--timeout=240")
            yield made


def _define(plane: ControlPlane, kinds: list[Manifest]) -> None:
    plane.kubectl("create", "--filename=-", objects=kinds)
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
