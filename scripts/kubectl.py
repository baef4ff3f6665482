"""Asks the cluster of kubectl's current context, and renders what is in Git."""

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

Object = dict[str, Any]

ROOT = Path(__file__).parents[1]
SYSTEMS = ("security", "monitoring", "temporal-backend", "temporal-product")
"""In the order in which they need one another."""
WRONG, USAGE, NO_CLUSTER = 1, 2, 3


def stop(status: int, why: str) -> NoReturn:
    print(why, file=sys.stderr)
    raise SystemExit(status)


def kubectl(
    *words: str, objects: list[Object] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command; `objects` are its standard input. Look at its status yourself."""
    try:
        return subprocess.run(
            ["kubectl", *words],
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            if objects
            else "",
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
    except FileNotFoundError:
        stop(NO_CLUSTER, "kubectl is not installed")


def require_cluster() -> None:
    if kubectl("get", "--raw", "/readyz").returncode != 0:
        stop(NO_CLUSTER, "no cluster answers; look at: kubectl config current-context")


def require_environment(name: str) -> None:
    if not (ROOT / f"deploy/argocd/root/{name}.yaml").is_file():
        stop(USAGE, f"there is no environment {name}")


def overlay(environment: str, system: str) -> str:
    return f"deploy/kustomize/overlays/{environment}/{system}"


@functools.cache
def rendered(folder: str) -> str:
    """The manifests of a kustomization, as YAML."""
    done = kubectl("kustomize", folder)
    if done.returncode != 0:
        stop(WRONG, done.stderr)
    return done.stdout


def objects_in(manifests: str) -> list[Object]:
    """YAML as objects. kubectl reads it, so that this needs no package of Python's."""
    done = subprocess.run(
        # Nothing is annotated: a key that ends with "-" is taken away.
        ["kubectl", "annotate", "--local", "--filename=-", "--output=json", "none-"],
        input=manifests,
        capture_output=True,
        text=True,
        check=True,
    )
    return list(_documents(done.stdout))


def _documents(text: str) -> Iterator[Object]:
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        document, position = decoder.raw_decode(text, position)
        yield document
        position += len(text[position:]) - len(text[position:].lstrip())


def in_git(environment: str) -> list[Object]:
    """All that an environment's Applications bring, and the Applications."""
    folders = [overlay(environment, system) for system in SYSTEMS]
    folders.append(f"deploy/argocd/applications/{environment}")
    root = (ROOT / f"deploy/argocd/root/{environment}.yaml").read_text()
    return objects_in("\n---\n".join([*map(rendered, folders), root]))


def resources() -> dict[tuple[str, str], str]:
    """The name under which kubectl lists each kind, by group and kind."""
    listed = kubectl("api-resources", "--no-headers")
    rows = [line.split() for line in listed.stdout.splitlines()]
    if not rows:
        stop(WRONG, listed.stderr.strip())
    return {
        (_group(row[-3]), row[-1]): ".".join(filter(None, (row[0], _group(row[-3]))))
        for row in rows
    }


def _group(version: str) -> str:
    return version.rpartition("/")[0]


def kind_of(thing: Object) -> tuple[str, str]:
    return _group(thing["apiVersion"]), thing["kind"]


def items(*words: str) -> list[Object]:
    """What `kubectl get` finds."""
    done = kubectl("get", *words, "--output=json")
    if done.returncode != 0:
        stop(WRONG, done.stderr)
    answer: Object = json.loads(done.stdout or '{"items": []}')
    found: list[Object] = answer.get("items", [answer])
    return found


def named(thing: Object) -> str:
    """`temporal-product Deployment temporal-worker`"""
    metadata = thing["metadata"]
    words = (metadata.get("namespace"), thing["kind"], metadata["name"])
    return " ".join(filter(None, words))


def condition(thing: Object, kind: str) -> Object:
    """That condition of its status; empty if nobody has written it."""
    conditions = thing.get("status", {}).get("conditions") or []
    return next((c for c in conditions if c["type"] == kind), {})
