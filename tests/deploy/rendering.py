"""Builds what is in Git into the objects that a cluster would be given."""

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUSTOMIZE = DEPLOY / "kustomize"
COMPONENTS = KUSTOMIZE / "components"
ENVIRONMENTS = ("development", "staging", "production")
SYSTEMS = ("security", "monitoring", "temporal-backend", "temporal-product")


def tool(name: str) -> str:
    """The path of a program. Without it a laptop skips, and CI fails."""
    found = shutil.which(name)
    if found is None:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(f"{name} is not installed")
    return str(found)


def builder() -> list[str]:
    """The command that builds a folder: kustomize is inside kubectl, too."""
    alone = shutil.which("kustomize")
    if alone and shutil.which("kubectl") is None:
        return [alone, "build"]
    return [tool("kubectl"), "kustomize"]


@functools.cache
def build(folder: Path) -> tuple[Manifest, ...]:
    """The objects of a kustomization. Callers must not change them."""
    documents = yaml.load_all(_built(folder), yaml.CSafeLoader)
    return tuple(document for document in documents if document)


shared_builds: Path | None = None
"""Where the processes of one test run keep what they build, for one another."""


def _built(folder: Path) -> str:
    if shared_builds is None or not folder.is_relative_to(ROOT):
        return _run_builder(folder)
    name = str(folder.relative_to(ROOT)).replace("/", "-")
    kept = shared_builds / f"{name}.yaml"
    if not kept.exists():
        half = kept.with_suffix(f".{os.getpid()}")
        half.write_text(_run_builder(folder))
        half.replace(kept)
    return kept.read_text()


def _run_builder(folder: Path) -> str:
    done = subprocess.run(
        [*builder(), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{folder}: {done.stderr}"
    assert "deprecated" not in done.stderr.lower(), done.stderr
    return done.stdout


def overlay(environment: str, system: str) -> tuple[Manifest, ...]:
    return build(KUSTOMIZE / "overlays" / environment / system)


@functools.cache
def environment(name: str) -> tuple[Manifest, ...]:
    """Everything an environment's four Applications put into the cluster."""
    return tuple(m for system in SYSTEMS for m in overlay(name, system))


@functools.cache
def base_with(system: str, components: tuple[str, ...]) -> tuple[Manifest, ...]:
    """The base of a system with these components, in this order."""
    # Two systems hold objects of other namespaces or of none.
    namespace = None if system in ("monitoring", "security") else system
    return together(
        [KUSTOMIZE / "base/environment", KUSTOMIZE / "base" / system],
        [COMPONENTS / component / system for component in components],
        namespace,
    )


def together(
    resources: list[Path], components: list[Path], namespace: str | None = None
) -> tuple[Manifest, ...]:
    """What a kustomization of these would be built into."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace or "",
            "resources": [os.path.relpath(path, folder) for path in resources],
            "components": [os.path.relpath(path, folder) for path in components],
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return build.__wrapped__(folder)


def components_of(system: str) -> list[str]:
    found = COMPONENTS.glob(f"*/{system}/kustomization.yaml")
    return sorted(path.parts[-3] for path in found)


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    return [m for m in manifests if m["kind"] in kinds]


def named(manifests: Iterable[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (m for m in of_kind(manifests, kind) if m["metadata"]["name"] == name)
    return found


def label(manifest: Manifest) -> str:
    """How a message names an object: `temporal-product/Deployment/api`."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    parts = [namespace] if namespace else []
    return "/".join([*parts, manifest["kind"], metadata["name"]])


def pod_template(manifest: Manifest) -> Manifest | None:
    """The pod that a workload runs: its `metadata` and `spec`."""
    kinds = {"Deployment", "DaemonSet", "StatefulSet", "Job"}
    if manifest["kind"] not in kinds:
        return None
    template: Manifest = manifest["spec"]["template"]
    return template


def workloads(manifests: Iterable[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Each workload with the pod it runs."""
    for manifest in manifests:
        template = pod_template(manifest)
        if template is not None:
            yield manifest, template


def containers(template: Manifest) -> list[Manifest]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
