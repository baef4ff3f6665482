"""Whether an object does its work, by the status that its controller has written."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from scripts.kubectl import Object, condition, kind_of

RENEWED_BEFORE = timedelta(days=14)
"""cert-manager renews 30 days before the end: with less left, it has been failing."""


def problem(thing: Object) -> str | None:
    """What is wrong with it. None: nothing, or nobody says whether its kind is well."""
    look = _BY_KIND.get(kind_of(thing))
    return look(thing) if look else None


def _deployment(thing: Object) -> str | None:
    wanted, status = thing["spec"].get("replicas", 1), thing.get("status", {})
    if status.get("observedGeneration", 0) < thing["metadata"].get("generation", 0):
        return "its controller has not seen the last change"
    for count in ("updatedReplicas", "availableReplicas"):
        if status.get(count, 0) < wanted:
            return f"{count} {status.get(count, 0)} of {wanted}"
    # As `kubectl rollout status` has it.
    old = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    if old > 0:
        return f"{old} old pods have not ended"
    return None


def _stateful_set(thing: Object) -> str | None:
    """With `OnDelete`, as ECK makes them, whoever made it decides when pods are new."""
    wanted, status = thing["spec"].get("replicas", 1), thing.get("status", {})
    counts = ["readyReplicas"]
    if thing["spec"].get("updateStrategy", {}).get("type") != "OnDelete":
        counts.append("updatedReplicas")
    for count in counts:
        if status.get(count, 0) < wanted:
            return f"{count} {status.get(count, 0)} of {wanted}"
    return None


def _daemon_set(thing: Object) -> str | None:
    status = thing.get("status", {})
    wanted = status.get("desiredNumberScheduled", 0)
    for count in ("updatedNumberScheduled", "numberAvailable"):
        if status.get(count, 0) < wanted:
            return f"{count} {status.get(count, 0)} of {wanted}"
    return None


def _job(thing: Object) -> str | None:
    failed = condition(thing, "Failed")
    if failed.get("status") == "True":
        return f"failed: {failed.get('message', 'nobody says why')}"
    done = condition(thing, "Complete").get("status") == "True"
    return None if done else "has not ended"


def _claim(thing: Object) -> str | None:
    phase = thing.get("status", {}).get("phase")
    return None if phase == "Bound" else f"is {phase}"


def _autoscaler(thing: Object) -> str | None:
    return _all_true(thing, "AbleToScale", "ScalingActive")


def _scaled_object(thing: Object) -> str | None:
    if condition(thing, "Paused").get("status") == "True":
        return "is paused"
    if condition(thing, "Fallback").get("status") == "True":
        return "cannot ask its triggers, and keeps its fallback"
    return _all_true(thing, "Ready")


def _ready(thing: Object) -> str | None:
    return _all_true(thing, "Ready")


def _certificate(thing: Object) -> str | None:
    until = thing.get("status", {}).get("notAfter")
    if until and _moment(until) < datetime.now(UTC) + RENEWED_BEFORE:
        return f"ends {until}: see docs/how-to/rotate-secrets.md"
    return _ready(thing)


def _gateway(thing: Object) -> str | None:
    return _all_true(thing, "Accepted", "Programmed")


def _route(thing: Object) -> str | None:
    parents = thing.get("status", {}).get("parents") or []
    for parent in parents:
        wrong = _all_true({"status": parent}, "Accepted", "ResolvedRefs")
        if wrong:
            return wrong
    return None if parents else "no gateway has taken it"


def _ingress(thing: Object) -> str | None:
    taken = thing.get("status", {}).get("loadBalancer", {}).get("ingress")
    return None if taken else "no controller has given it an address"


def _elasticsearch(thing: Object) -> str | None:
    status = thing.get("status", {})
    health, phase = status.get("health"), status.get("phase")
    return None if (health, phase) == ("green", "Ready") else f"is {health}, {phase}"


def _postgresql(thing: Object) -> str | None:
    status = thing.get("status", {})
    ready, wanted = status.get("readyInstances", 0), thing["spec"]["instances"]
    if ready < wanted:
        return f"{ready} of {wanted} instances are ready: {status.get('phase')}"
    healthy = status.get("phase") == "Cluster in healthy state"
    return None if healthy else f"{status.get('phase')}"


def _application(thing: Object) -> str | None:
    status = thing.get("status", {})
    sync = status.get("sync", {}).get("status")
    health = status.get("health", {}).get("status")
    if (sync, health) == ("Synced", "Healthy"):
        return None
    why = status.get("operationState", {}).get("message", "")
    return f"is {sync} and {health}" + (f": {why}" if why else "")


def _all_true(thing: Object, *kinds: str) -> str | None:
    for kind in kinds:
        found = condition(thing, kind)
        if found.get("status") != "True":
            why = found.get("message") or found.get("reason") or "nobody has said so"
            return f"is not {kind}: {why}"
    return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def last_backup(backups: list[Object], namespace: str, cluster: str) -> datetime | None:
    """When the newest complete backup of a database ended."""
    ended = [
        _moment(each["status"]["stoppedAt"])
        for each in backups
        if each["metadata"]["namespace"] == namespace
        and each["spec"]["cluster"]["name"] == cluster
        and each.get("status", {}).get("phase") == "completed"
    ]
    return max(ended, default=None)


_BY_KIND: dict[tuple[str, str], Callable[[Object], str | None]] = {
    ("", "PersistentVolumeClaim"): _claim,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("argoproj.io", "Application"): _application,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("batch", "Job"): _job,
    ("cert-manager.io", "Certificate"): _certificate,
    ("cert-manager.io", "ClusterIssuer"): _ready,
    ("cert-manager.io", "Issuer"): _ready,
    ("elasticsearch.k8s.elastic.co", "Elasticsearch"): _elasticsearch,
    ("external-secrets.io", "ExternalSecret"): _ready,
    ("external-secrets.io", "SecretStore"): _ready,
    ("gateway.networking.k8s.io", "GRPCRoute"): _route,
    ("gateway.networking.k8s.io", "Gateway"): _gateway,
    ("gateway.networking.k8s.io", "HTTPRoute"): _route,
    ("keda.sh", "ScaledObject"): _scaled_object,
    ("networking.k8s.io", "Ingress"): _ingress,
    ("postgresql.cnpg.io", "Cluster"): _postgresql,
}
KINDS = frozenset(_BY_KIND)
"""Group and kind: others have an `Application`, too."""
