"""The JSON schemas of the API server's kinds and of the operators' resources."""

import functools
import json
import os
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from jsonschema import Draft7Validator

from tests.deploy.rendering import ROOT, Manifest, label

KUBERNETES = "1.36"

WITHOUT_SCHEMA = {
    ("barmancloud.cnpg.io/v1", "ObjectStore"): "the plugin's CRD is not collected",
    ("gateway.nginx.org/v1alpha2", "NginxProxy"): "its gateway's are not collected",
    (
        "policies.kyverno.io/v1",
        "NamespacedImageValidatingPolicy",
    ): "Kyverno's CRDs are not collected",
}


def folder() -> Path:
    """Where the schemas of the operators' resources lie: beside the repository."""
    named = os.environ.get("K8S_SCHEMAS")
    place = Path(named) if named else ROOT.parent / "shared/k8s-schemas"
    if not (place / "crds").is_dir():
        pytest.skip("no schemas: set K8S_SCHEMAS to a folder with crds/<group>/…json")
    return place


def mistakes(manifest: Manifest, schemas: Path | None) -> list[str]:
    """Why an API server would refuse the object. Unknown fields are mistakes."""
    if is_built_in(manifest):
        return _core(manifest)
    if schemas is None or (manifest["apiVersion"], manifest["kind"]) in WITHOUT_SCHEMA:
        return []
    return [
        f"{label(manifest)}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in _validator(
            schemas, manifest["apiVersion"], manifest["kind"]
        ).iter_errors(manifest)
    ]


def is_built_in(manifest: Manifest) -> bool:
    """Whether the API server knows the kind without any operator."""
    group = manifest["apiVersion"].rpartition("/")[0]
    return "." not in group or group in _GROUPS


_GROUPS = {"networking.k8s.io", "rbac.authorization.k8s.io", "scheduling.k8s.io"}


def _core(manifest: Manifest) -> list[str]:
    problem = _why_refused(json.dumps(manifest))
    return [f"{label(manifest)}: {problem}"] if problem else []


@functools.cache
def _why_refused(manifest: str) -> str | None:
    # Environments share most objects, and each takes ten milliseconds.
    try:
        kubernetes_validate.validate(json.loads(manifest), KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error.message)
    return None


@functools.cache
def _validator(schemas: Path, api_version: str, kind: str) -> Draft7Validator:
    group, version = api_version.split("/")
    path = schemas / "crds" / group / f"{kind.lower()}_{version}.json"
    return Draft7Validator(json.loads(path.read_text()))
