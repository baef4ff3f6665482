"""The definitions of the operators' kinds, for a real API server."""

import tarfile
from collections.abc import Iterable

import yaml

from tests.deploy.rendering import DEPLOY, ENVIRONMENTS, Manifest, build, environment
from tests.deploy.schemas import folder, is_built_in

Kind = tuple[str, str]
"""Group with version, and kind."""

OF_THE_CLUSTER = {"GatewayClass"}


def stand_in(api_version: str, kind: str) -> Manifest:
    """A definition that takes anything, for a kind whose own is not collected."""
    group, version = api_version.split("/")
    plural = _plural(kind.lower())
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # Asked of every group of k8s.io, or the server refuses.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in"},
        },
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Cluster" if kind in OF_THE_CLUSTER else "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": anything},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def definitions(besides: Iterable[Kind] = ()) -> list[Manifest]:
    """The operators' own definitions, and stand-ins for the rest."""
    with tarfile.open(folder() / "crd-yaml.tar.xz") as archive:
        files = (archive.extractfile(m) for m in archive.getmembers())
        collected = [
            document
            for file in files
            if file is not None
            for document in yaml.load_all(file, yaml.CSafeLoader)
            if document and document["kind"] == "CustomResourceDefinition"
        ]
    known = {(d["spec"]["group"], d["spec"]["names"]["kind"]) for d in collected}
    wanted = {
        (m["apiVersion"], m["kind"])
        for name in ENVIRONMENTS
        for m in (*environment(name), *build(DEPLOY / "argocd/applications" / name))
        if not is_built_in(m)
    } | {*besides}
    missing = {w for w in wanted if (w[0].split("/")[0], w[1]) not in known}
    return [*collected, *(stand_in(*each) for each in sorted(missing))]
