"""deploy.sh and validate.sh do what their help says, against a stub of kubectl."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from api.orders.order.schemas import Cancellation, NewOrder

from tests.deploy.rendering import ROOT, SYSTEMS, Manifest, builder, environment

STUB = Path(__file__).with_name("stub_kubectl.py")

BACKUPS: list[Manifest] = [
    {
        "kind": "Backup",
        "metadata": {"name": f"{name}-1", "namespace": namespace},
        "spec": {"cluster": {"name": name}},
    }
    for namespace, name in (
        ("temporal-backend", "temporal-postgresql"),
        ("temporal-product", "orders-postgresql"),
    )
]


@dataclass
class Stub:
    """A cluster that holds an environment, and what was asked of it."""

    folder: Path
    objects: list[Manifest] = field(default_factory=list)
    broken: list[tuple[str, str, int]] = field(default_factory=list)
    """Commands that answer otherwise: beginning, output, exit status."""

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        small = [_trimmed(manifest) for manifest in self.objects]
        (self.folder / "objects.json").write_text(json.dumps(small))
        (self.folder / "broken.json").write_text(json.dumps(self.broken))
        return subprocess.run(
            [str(ROOT / command[0]), *command[1:]],
            env={
                **os.environ,
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "STUB_FOLDER": str(self.folder),
                "BUILDER": json.dumps(builder()),
                "STUB_SITE": str(Path(yaml.__file__).parents[1]),
                **environ,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        return (self.folder / "calls.log").read_text().splitlines()

    def install(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)


def _trimmed(manifest: Manifest) -> Manifest:
    """What the stub looks at."""
    metadata = {k: manifest["metadata"].get(k) for k in ("name", "namespace")}
    spec = manifest["spec"] if manifest["kind"] == "Backup" else {}
    data = manifest.get("data", {})
    url = {k: data[k] for k in ("PUBLIC_URL",) if k in data}
    return {"kind": manifest["kind"], "metadata": metadata, "spec": spec, "data": url}


def stub_in(folder: Path) -> Stub:
    made = Stub(folder, [*environment("staging"), *BACKUPS])
    made.install("kubectl", f'#!/bin/sh\nexec "{sys.executable}" -IS "{STUB}" "$@"\n')
    return made


CURL = """#!/bin/sh
# Answers like the API, and keeps the body of each POST.
case "$*" in
  *products*) echo '{{"sku":"MUG","price":{{"amount":1250,"currency":"EUR"}}}}' ;;
  *cancellations*) cat >"{folder}/cancel.json" ;;
  *orders*) cat >"{folder}/order.json"; echo '{{"id":"ord_01kabc","lines":[]}}' ;;
esac
"""


@pytest.fixture
def stub(tmp_path: Path) -> Stub:
    return stub_in(tmp_path)


@dataclass(frozen=True)
class Run:
    done: subprocess.CompletedProcess[str]
    calls: list[str]
    folder: Path


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A deployment, which ends with a validation, of a healthy environment."""
    stub = stub_in(tmp_path_factory.mktemp("deployed"))
    done = stub.run("scripts/deploy.sh", "staging")
    return Run(done, stub.calls(), stub.folder)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A validation, with a probe order, where all of `BREAKS` is wrong."""
    stub = stub_in(tmp_path_factory.mktemp("broken"))
    stub.broken = [answer for answer, _ in BREAKS]
    stub.objects = [o for o in stub.objects if o["metadata"]["name"] != "temporal-web"]
    stub.install("curl", CURL.format(folder=stub.folder))
    words = ("--probe-order", "MUG", "staging")
    done = stub.run("scripts/validate.sh", *words, ORDERS_TOKEN="token")
    return Run(done, stub.calls(), stub.folder)


@pytest.mark.parametrize("script", ["scripts/deploy.sh", "scripts/validate.sh"])
def test_help_says_how_to_use_it(stub: Stub, script: str) -> None:
    done = stub.run(script, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script}")
    assert "Exit status" in done.stdout


@pytest.mark.parametrize("script", ["scripts/deploy.sh", "scripts/validate.sh"])
@pytest.mark.parametrize("words", [[], ["nowhere"], ["--faster", "staging"]])
def test_wrong_usage_is_status_2(stub: Stub, script: str, words: list[str]) -> None:
    assert stub.run(script, *words).returncode == 2


@pytest.mark.parametrize("script", ["scripts/deploy.sh", "scripts/validate.sh"])
def test_no_cluster_is_status_3(stub: Stub, script: str) -> None:
    stub.broken = [("get --raw", "", 1)]
    done = stub.run(script, "staging")
    assert done.returncode == 3
    assert "no cluster answers" in done.stderr


def test_a_healthy_environment_is_valid(deployed: Run) -> None:
    done = deployed.done
    assert (done.returncode, done.stderr) == (0, "")
    assert "WRONG" not in done.stdout
    assert done.stdout.splitlines()[-1] == "all is well"
    rolled_out = "temporal-product deployment.apps/temporal-worker is rolled out"
    assert f"ok    {rolled_out}" in done.stdout.splitlines()


BREAKS: list[tuple[tuple[str, str, int], str]] = [
    (
        ("rollout status --namespace temporal-product deployment.apps/t", "", 1),
        "temporal-product deployment.apps/temporal-worker is rolled out",
    ),
    (
        (
            "get externalsecrets.external-secrets.io --namespace mon",
            "jfrog=False",
            0,
        ),
        "monitoring externalsecrets.external-secrets.io jfrog is not ready",
    ),
    (
        (
            "get certificates.cert-manager.io --namespace security",
            "temporal-frontend-ca=2020-01-01T00:00:00Z",
            0,
        ),
        "security certificate temporal-frontend-ca ends 2020",
    ),
    (
        ("get clusters.postgresql.cnpg.io orders-postgresql", "Failing over", 0),
        "temporal-product orders-postgresql: Failing over",
    ),
    (
        ("exec --namespace temporal-backend temporal-postgresql-1", "1.18", 0),
        "database temporal has schema '1.18', not 1.19",
    ),
    (
        ("exec --namespace temporal-backend deploy/temporal-admin-tools", "", 1),
        "namespace orders exists",
    ),
    (
        ("exec --namespace monitoring prometheus", "", 0),
        "alert rules are not loaded",
    ),
    (
        ("get backups.postgresql.cnpg.io --namespace temporal-product", "", 0),
        "temporal-product orders-postgresql has no backup younger than 26 hours",
    ),
]


@pytest.mark.parametrize("says", [says for _, says in BREAKS])
def test_what_is_wrong_is_said_with_what_to_do(broken: Run, says: str) -> None:
    assert broken.done.returncode == 1
    lines = broken.done.stdout.splitlines()
    (found,) = (n for n, line in enumerate(lines) if f"WRONG {says}" in line)
    assert lines[found + 1].startswith("      do: ")
    assert lines[-1].endswith(" wrong")


def test_what_is_not_wrong_stays_ok(broken: Run) -> None:
    ok = [ln for ln in broken.done.stdout.splitlines() if ln.startswith("ok")]
    assert "ok    database temporal_visibility has schema 1.14" not in ok
    assert "ok    temporal-backend temporal-postgresql is healthy" in ok


def test_an_object_that_is_missing_is_named(broken: Run) -> None:
    assert 'Deployment "temporal-web" not found' in broken.done.stdout


def test_validate_only_reads(broken: Run) -> None:
    verbs = {call.split()[0] for call in broken.calls}
    assert verbs == {"exec", "get", "kustomize", "rollout"}
    assert not [c for c in broken.calls if "rollout" in c and "status" not in c]


def test_a_dry_run_of_validate_asks_no_cluster(stub: Stub) -> None:
    assert stub.run("scripts/validate.sh", "--dry-run", "staging").returncode == 0
    assert not (stub.folder / "calls.log").exists()


def test_a_probe_order_is_one_that_the_api_takes(broken: Run) -> None:
    assert "ok    order ord_01kabc was cancelled" in broken.done.stdout
    order = NewOrder.model_validate_json((broken.folder / "order.json").read_text())
    assert order.expected_total.amount == 1250
    Cancellation.model_validate_json((broken.folder / "cancel.json").read_text())


def test_no_probe_order_is_placed_in_production(stub: Stub) -> None:
    done = stub.run(
        "scripts/validate.sh", "--probe-order", "MUG", "production", ORDERS_TOKEN="t"
    )
    assert done.returncode == 2


def test_deploying_applies_the_root_and_waits_for_each_system(deployed: Run) -> None:
    applied = [c for c in deployed.calls if c.startswith("apply")]
    assert applied == ["apply --server-side --filename deploy/argocd/root/staging.yaml"]
    waited = [
        re.findall(r"application.argoproj.io/(\S+) --for=(?:jsonpath=)?(\S+)", c)[0]
        for c in deployed.calls
        if c.startswith("wait")
    ]
    states = (
        "create",
        "{.status.sync.status}=Synced",
        "{.status.health.status}=Healthy",
    )
    assert waited == [(system, state) for system in SYSTEMS for state in states]


def test_nothing_that_deploying_does_depends_on_what_is_there(deployed: Run) -> None:
    # A server-side apply of one file and waiting: both may be repeated.
    verbs = {call.split()[0] for call in deployed.calls}
    assert verbs == {"apply", "wait", "exec", "get", "kustomize", "rollout"}


def test_a_system_that_stays_unhealthy_is_status_1(stub: Stub) -> None:
    stub.broken = [
        ("wait --namespace argocd application.argoproj.io/monitoring", "", 1)
    ]
    done = stub.run("scripts/deploy.sh", "staging")
    assert done.returncode == 1
    assert "monitoring is not healthy; look at: kubectl describe" in done.stderr


def test_a_dry_run_of_deploy_changes_nothing(stub: Stub) -> None:
    stub.broken = [("diff", "a difference", 1)]
    assert stub.run("scripts/deploy.sh", "--dry-run", "staging").returncode == 0
    changing = [c for c in stub.calls() if c.startswith(("apply", "wait"))]
    assert len(changing) == 1
    assert "--dry-run=server" in changing[0]


def test_rendering_writes_what_the_applications_read(stub: Stub) -> None:
    out = stub.folder / "out"
    assert (
        stub.run("scripts/deploy.sh", "--render", str(out), "staging").returncode == 0
    )
    for system in SYSTEMS:
        overlay = out / "deploy/kustomize/overlays/staging" / system
        assert (overlay / "manifests.yaml").stat().st_size > 1000
