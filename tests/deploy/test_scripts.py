"""deploy.sh and validate.sh do what their help says, against a stub of kubectl.

test_api_server.py asks what only a real API server can say of them.
"""

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from api.orders.order.schemas import Cancellation, NewOrder

from scripts.inside import CANCELLATION, new_order
from tests.deploy.healthy import healthy
from tests.deploy.rendering import (
    DEPLOY,
    ROOT,
    SYSTEMS,
    Manifest,
    build,
    environment,
    tool,
)

STUB = Path(__file__).with_name("stub_kubectl.py")
SCRIPTS = ["scripts/deploy.sh", "scripts/validate.sh"]


def backup(namespace: str, name: str) -> Manifest:
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": f"{name}-1", "namespace": namespace},
        "spec": {"cluster": {"name": name}},
    }


OF_ECK: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "elasticsearch-es-default", "namespace": "temporal-backend"},
    "spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
}


@functools.cache
def rendered() -> Path:
    """A folder of what staging's folders are built into, made once a process."""
    made = Path(tempfile.mkdtemp(prefix="orders-rendered-"))
    atexit.register(shutil.rmtree, made)
    folders = [f"deploy/kustomize/overlays/staging/{system}" for system in SYSTEMS]
    for folder in [*folders, "deploy/argocd/applications/staging"]:
        documents = yaml.dump_all(build(ROOT / folder), Dumper=yaml.CSafeDumper)
        (made / folder.replace("/", "-")).write_text(documents)
    return made


@dataclass
class Stub:
    """A cluster that holds an environment, and what was asked of it."""

    folder: Path
    commit: str
    objects: list[Manifest] = field(default_factory=list)
    broken: list[tuple[str, str, int]] = field(default_factory=list)
    """Commands that answer otherwise: beginning, output, exit status."""

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "objects.json").write_text(json.dumps(self.objects))
        (self.folder / "broken.json").write_text(json.dumps(self.broken))
        # Whatever remotes the checkout that is tested has of its own.
        origin = {"GIT_DIR": str(self.folder / "origin/.git")}
        path = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        here = {
            "STUB_FOLDER": str(self.folder),
            "REAL_KUBECTL": tool("kubectl"),
            "RENDERED": str(rendered()),
        }
        return subprocess.run(
            [str(ROOT / command[0]), *command[1:]],
            env={**os.environ, **path, **here, **origin, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        return (self.folder / "calls.log").read_text().splitlines()

    def named(self, kind: str, name: str) -> Manifest:
        found = (o for o in self.objects if o["kind"] == kind)
        return next(o for o in found if o["metadata"]["name"] == name)


def stub_in(folder: Path) -> Stub:
    made = Stub(folder, _origin(folder / "origin"))
    applications = build(DEPLOY / "argocd/applications/staging")
    root = yaml.safe_load((DEPLOY / "argocd/root/staging.yaml").read_text())
    backups = [
        backup("temporal-backend", "temporal-postgresql"),
        backup("temporal-product", "orders-postgresql"),
    ]
    every = [*environment("staging"), *applications, root, *backups, OF_ECK]
    made.objects = [healthy(each, made.commit) for each in every]
    kubectl = folder / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{STUB}" "$@"\n')
    kubectl.chmod(0o755)
    return made


def _origin(folder: Path, branch: str = "staging") -> str:
    """A repository, its own origin, with the branch that staging follows; the commit
    it is at."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ["git", "-C", str(folder), *who, *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout.strip()

    folder.mkdir()
    git("init", "--quiet", f"--initial-branch={branch}")
    git("remote", "add", "origin", str(folder))
    git("commit", "--quiet", "--allow-empty", "--message=deploy")
    return git("rev-parse", "HEAD")


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return stub_in(tmp_path)


@dataclass(frozen=True)
class Run:
    done: subprocess.CompletedProcess[str]
    calls: list[str]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A deployment, which ends with a validation, of a healthy environment."""
    stub = stub_in(tmp_path_factory.mktemp("deployed"))
    done = stub.run("scripts/deploy.sh", "staging")
    return Run(done, stub.calls())


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_how_to_use_it(stub: Stub, script: str) -> None:
    done = stub.run(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script}")
    assert "exit status" in done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    "words", [[], ["nowhere"], ["--faster", "staging"], ["--timeout"]]
)
def test_wrong_usage_is_status_2(stub: Stub, script: str, words: list[str]) -> None:
    assert stub.run(script, *words).returncode == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_cluster_is_status_3(stub: Stub, script: str) -> None:
    stub.broken = [("get --raw", "", 1)]
    done = stub.run(script, "staging")
    assert done.returncode == 3
    assert "no cluster answers" in done.stderr


# ── validate.sh ─────────────────────────────────────────────────────────────────────


def test_a_healthy_environment_is_valid(deployed: Run) -> None:
    done = deployed.done
    assert (done.returncode, done.stderr) == (0, "")
    assert "WRONG" not in done.stdout
    said = done.stdout.splitlines()
    assert said[-1] == "all is well"
    assert "ok    temporal-product Deployment temporal-worker" in said
    assert "ok    temporal-backend StatefulSet elasticsearch-es-default" in said
    assert "ok    argocd Application temporal-product" in said


def broken(stub: Stub) -> None:
    """Of each way to find something, one that finds it."""
    stub.named("Deployment", "temporal-worker")["status"]["availableReplicas"] = 1
    stub.named("Job", "orders-migrations")["status"] = {}
    stub.named("Application", "monitoring")["status"]["sync"] = {"status": "OutOfSync"}
    stub.named("Backup", "orders-postgresql-1")["status"]["phase"] = "failed"
    stub.objects.remove(stub.named("Deployment", "temporal-web"))
    stub.broken = [
        ("exec --namespace temporal-backend temporal-postgresql-1", "1.18", 0),
        ("exec --namespace temporal-backend deploy/temporal-admin-tools", "", 1),
        ("exec --namespace monitoring prometheus", "", 0),
    ]


def test_what_is_wrong_is_said_with_what_to_do(stub: Stub) -> None:
    broken(stub)
    done = stub.run("scripts/validate.sh", "--timeout", "0", "staging")
    lines = done.stdout.splitlines()
    wrong = [n for n, line in enumerate(lines) if line.startswith("WRONG")]
    said = "\n".join(lines[n] for n in wrong)
    for part in (
        "Deployment temporal-worker: availableReplicas 1 of",
        "Job orders-migrations: has not ended",
        "Application monitoring: is OutOfSync",
        "orders-postgresql was backed up: never",
        "Deployment temporal-web is missing",
        "database temporal has schema 1.18",
        "namespace orders exists",
        "task queue payments has a worker",
        "Prometheus has the alert rules",
    ):
        assert part in said
    assert "temporal-postgresql was backed up" not in said
    assert all(lines[n + 1].startswith("      do: ") for n in wrong)
    assert (done.returncode, lines[-1]) == (1, f"{len(wrong)} wrong")


def test_validate_only_reads(stub: Stub) -> None:
    stub.run("scripts/validate.sh", "--timeout", "0", "staging")
    assert {call.split()[0] for call in stub.calls()} == {
        *("annotate", "api-resources", "exec", "get", "kustomize")
    }
    local = [c for c in stub.calls() if c.startswith("annotate")]
    assert all("--local" in call for call in local)


def test_a_dry_run_of_validate_asks_no_cluster(stub: Stub) -> None:
    assert stub.run("scripts/validate.sh", "--dry-run", "staging").returncode == 0
    assert not (stub.folder / "calls.log").exists()


@pytest.mark.parametrize(
    ("name", "environ"), [("production", {"ORDERS_TOKEN": "t"}), ("staging", {})]
)
def test_no_probe_order_is_placed_in_production_or_without_a_token(
    stub: Stub, name: str, environ: dict[str, str]
) -> None:
    words = ("--probe-order", "MUG", name)
    assert stub.run("scripts/validate.sh", *words, **environ).returncode == 2


def test_a_probe_order_is_one_that_the_api_takes() -> None:
    order = new_order("MUG", {"amount": 1250, "currency": "EUR"})
    assert NewOrder.model_validate(order).currency == "EUR"
    Cancellation.model_validate(CANCELLATION)


# ── deploy.sh ───────────────────────────────────────────────────────────────────────


def test_deploying_applies_projects_and_root_and_refreshes_each_system(
    deployed: Run,
) -> None:
    applied = [c.split()[-1] for c in deployed.calls if c.startswith("apply")]
    assert applied == [
        "--kustomize=deploy/argocd/project",
        "--filename=deploy/argocd/root/staging.yaml",
    ]
    refreshed = re.findall(
        r"annotate application.argoproj.io/(\S+) .*refresh=normal",
        "\n".join(deployed.calls),
    )
    assert refreshed == ["root", *SYSTEMS, "root"]


def test_an_old_commit_is_no_success(stub: Stub) -> None:
    old = stub.named("Application", "temporal-product")["status"]["sync"]
    old["revision"] = "0" * 40
    done = stub.run("scripts/deploy.sh", "--timeout", "0", "staging")
    assert done.returncode == 1
    assert f"is at {'0' * 40}, not at {stub.commit}" in done.stderr


def test_a_system_that_stays_unhealthy_is_status_1(stub: Stub) -> None:
    stub.named("Application", "monitoring")["status"]["health"]["status"] = "Degraded"
    done = stub.run("scripts/deploy.sh", "--timeout", "0", "staging")
    assert done.returncode == 1
    assert "monitoring is Synced and Degraded; look at: kubectl describe" in (
        " ".join(done.stderr.split())
    )


def test_a_system_that_a_person_has_paused_is_not_waited_for(stub: Stub) -> None:
    paused = stub.named("Application", "temporal-product")["status"]
    paused["health"]["status"] = "Suspended"
    done = stub.run("scripts/deploy.sh", "--timeout", "0", "staging")
    assert "temporal-product is at" in done.stdout
    assert "root is at" in done.stdout


def test_a_branch_that_no_pipeline_has_made_yet_is_said(stub: Stub) -> None:
    shutil.rmtree(stub.folder / "origin")
    _origin(stub.folder / "origin", branch="another")
    done = stub.run("scripts/deploy.sh", "staging")
    assert done.returncode == 1
    assert "origin has no branch staging" in done.stderr


def test_what_the_cluster_has_to_bring_is_asked_for_first(stub: Stub) -> None:
    stub.broken = [("get gatewayclass nginx", "", 1), ("get storageclass", "", 1)]
    stub.objects = [o for o in stub.objects if o["kind"] != "GRPCRoute"]
    done = stub.run("scripts/deploy.sh", "staging")
    assert done.returncode == 1
    for lacking in (
        "the gatewayclass nginx",
        "the kind GRPCRoute",
        "the storageclass fast-ssd",
    ):
        assert f"the cluster lacks {lacking}" in done.stderr
    assert not [c for c in stub.calls() if c.startswith("apply")]


def test_a_dry_run_of_deploy_changes_nothing(stub: Stub) -> None:
    done = stub.run("scripts/deploy.sh", "--dry-run", "staging")
    assert (done.returncode, done.stderr) == (0, "")
    assert "new: temporal-product Job orders-migrations" in done.stdout
    for call in stub.calls():
        changing = call.startswith(("apply", "create", "patch", "delete"))
        assert not changing or "--dry-run=server" in call


def test_a_dry_run_that_cannot_see_what_is_there_says_so(stub: Stub) -> None:
    """It would take all of it for new, and be refused because it is there."""
    stub.broken = [("get --filename=-", "the server timed out", 1)]
    done = stub.run("scripts/deploy.sh", "--dry-run", "staging")
    assert (done.returncode, done.stderr) == (1, "the server timed out\n")
    assert "new:" not in done.stdout


def test_a_dry_run_says_what_the_server_refuses(stub: Stub) -> None:
    stub.broken = [("diff", "Error: spec.replicas is not a word", 2)]
    done = stub.run("scripts/deploy.sh", "--dry-run", "staging")
    assert done.returncode == 1
    assert "refused: Error: spec.replicas" in done.stdout


def test_rendering_writes_what_the_applications_read(stub: Stub) -> None:
    out = stub.folder / "out"
    done = stub.run("scripts/deploy.sh", "--render", str(out), "staging")
    assert done.returncode == 0
    for system in SYSTEMS:
        overlay = out / "deploy/kustomize/overlays/staging" / system
        assert (overlay / "manifests.yaml").stat().st_size > 1000
