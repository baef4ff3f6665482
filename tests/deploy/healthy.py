"""The status that each controller writes into an object that is well."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.deploy.rendering import Manifest

TIME = "%Y-%m-%dT%H:%M:%SZ"


def healthy(manifest: Manifest, commit: str = "") -> Manifest:
    """The object as it is in a cluster where all is well."""
    made = copy.deepcopy(manifest)
    made["metadata"]["generation"] = 1
    made["status"] = _status(made, commit)
    return made


def _status(thing: Manifest, commit: str) -> dict[str, Any]:
    spec = thing.get("spec", {})
    replicas = spec.get("replicas", 1)
    match thing["kind"]:
        case "Deployment":
            kinds = ("updatedReplicas", "availableReplicas", "readyReplicas")
            counts = dict.fromkeys(("replicas", *kinds), replicas)
            return {"observedGeneration": 1, **counts}
        case "StatefulSet":
            # As ECK's own: with OnDelete nobody counts the updated ones.
            return {"readyReplicas": replicas}
        case "DaemonSet":
            scheduled = ("desiredNumberScheduled", "updatedNumberScheduled")
            return {**dict.fromkeys(scheduled, 3), "numberAvailable": 3}
        case "Job":
            return _conditions("Complete")
        case "PersistentVolumeClaim":
            return {"phase": "Bound"}
        case "HorizontalPodAutoscaler":
            return _conditions("AbleToScale", "ScalingActive")
        case "Gateway":
            return _conditions("Accepted", "Programmed")
        case "HTTPRoute" | "GRPCRoute":
            (parent, *_) = spec["parentRefs"]
            taken = _conditions("Accepted", "ResolvedRefs")
            by = {"parentRef": parent, "controllerName": "example.com/gateway"}
            return {"parents": [{**taken, **by}]}
        case "Ingress":
            return {"loadBalancer": {"ingress": [{"ip": "198.51.100.7"}]}}
        case "Elasticsearch":
            return {"health": "green", "phase": "Ready"}
        case "Cluster":
            return {
                **_conditions("Ready"),
                "phase": "Cluster in healthy state",
                "readyInstances": spec["instances"],
                "currentPrimary": f"{thing['metadata']['name']}-1",
            }
        case "Certificate":
            return {**_conditions("Ready"), "notAfter": _moment(days=60)}
        case "Backup":
            return {"phase": "completed", "stoppedAt": _moment(hours=-1)}
        case "Application":
            return {
                "sync": {"status": "Synced", "revision": commit},
                "health": {"status": "Healthy"},
            }
    return _conditions("Ready")


def _conditions(*true: str) -> dict[str, Any]:
    said = {"reason": "Well", "message": "", "lastTransitionTime": _moment(hours=-1)}
    return {"conditions": [{"type": kind, "status": "True", **said} for kind in true]}


def _moment(**later: int) -> str:
    return (datetime.now(UTC) + timedelta(**later)).strftime(TIME)
