"""What a deployment would change, asked of the API server, which changes nothing."""

import json
from collections.abc import Iterator

from scripts.kubectl import (
    SYSTEMS,
    WRONG,
    Object,
    kind_of,
    kubectl,
    named,
    objects_in,
    overlay,
    rendered,
    resources,
    stop,
)

MANAGER = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
"""As Argo CD applies: of another name, every field of its own would be a conflict."""
TRACKING = "argocd.argoproj.io/tracking-id"


def report(environment: str) -> bool:
    """Print it; whether the API server would take all of it."""
    taken = True
    known = resources()
    for system in SYSTEMS:
        print(f"--- {system}")
        wanted = objects_in(rendered(overlay(environment, system)))
        later = sorted({w["kind"] for w in wanted if kind_of(w) not in known})
        if later:
            print(f"kinds that the operators bring first: {', '.join(later)}")
        asked = [w for w in wanted if kind_of(w) in known]
        for refusal in _refusals(asked):
            taken = False
            print(f"refused: {refusal}")
    return taken


def _refusals(asked: list[Object]) -> Iterator[str]:
    """One line for each object that would not be taken."""
    live = _live(asked)
    fresh = [a for a in asked if named(a) not in live or a["kind"] == "Job"]
    changed = [_as_argo(a, live[named(a)]) for a in asked if a not in fresh]
    for thing in fresh:
        print(f"new: {named(thing)}")
    if fresh:
        namespaces = _namespaces()
        asked_for = [_new(thing, namespaces) for thing in fresh]
        done = kubectl("create", "--dry-run=server", "-f-", objects=asked_for)
        yield from done.stderr.splitlines() if done.returncode else []
    if changed:
        done = kubectl("diff", *MANAGER, "--filename=-", objects=changed)
        print(done.stdout, end="")
        # 1: something differs, and it would be taken.
        yield from done.stderr.splitlines() if done.returncode > 1 else []


def _live(asked: list[Object]) -> dict[str, Object]:
    """Those that the cluster has already."""
    if not asked:
        return {}
    words = ("--filename=-", "--ignore-not-found", "--output=json")
    done = kubectl("get", *words, objects=asked)
    if done.returncode != 0:
        stop(WRONG, done.stderr.strip())
    answer = json.loads(done.stdout or '{"items": []}')
    return {named(each): each for each in answer.get("items", [answer])}


def _namespaces() -> set[str]:
    listed = kubectl("get", "namespaces", "--output=name").stdout.split()
    return {name.partition("/")[2] for name in listed}


def _new(thing: Object, namespaces: set[str]) -> Object:
    """A name that is free, and a namespace that is there: a job of before may be in the
    way, and a namespace comes with the same deployment."""
    metadata = dict(thing["metadata"])
    if thing["kind"] == "Job":
        metadata["generateName"] = metadata.pop("name") + "-"
    if metadata.get("namespace", "default") not in namespaces:
        metadata["namespace"] = "default"
    return {**thing, "metadata": metadata}


def _as_argo(thing: Object, live: Object) -> Object:
    """With what Argo CD adds, and the replicas that it leaves to the autoscaler."""
    metadata, there = dict(thing["metadata"]), live["metadata"].get("annotations", {})
    if TRACKING in there:
        added = {TRACKING: there[TRACKING]}
        metadata["annotations"] = metadata.get("annotations", {}) | added
    spec = thing.get("spec")
    if spec and thing["kind"] == "Deployment" and "replicas" in live["spec"]:
        spec = {**spec, "replicas": _replicas(thing, live)}
    return {**thing, "metadata": metadata} | ({"spec": spec} if spec else {})


def _replicas(thing: Object, live: Object) -> int:
    """Argo CD ignores the replicas of what an autoscaler owns."""
    owners = live["metadata"].get("managedFields", [])
    scaled = any(owner.get("subresource") == "scale" for owner in owners)
    count: int = (live if scaled else thing)["spec"]["replicas"]
    return count
