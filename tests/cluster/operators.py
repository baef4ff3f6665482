"""Stand-ins for operators: what each would make of an object, and say of it.

None of them runs here. Their objects are taken by a real API server with their own
definitions; their pods are of the size, the place and the priority that the objects
ask for, so that they take room, are drained and are lost like the operators' own.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from scripts.health import KINDS
from scripts.kubectl import kind_of
from scripts.validate import BACKUP
from tests.cluster.control_plane import ControlPlane
from tests.deploy.cluster import Cluster, cluster
from tests.deploy.healthy import healthy
from tests.deploy.rendering import Manifest

FROM_KUBERNETES = {"", "apps", "batch"}
"""Groups of which the real controllers say how an object is."""

BROUGHT: list[Manifest] = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}},
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "fast-ssd"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "nginx"},
        "spec": {"controllerName": "gateway.nginx.org/nginx-gateway-controller"},
    },
]
"""What a cluster brings (docs/deployment.md)."""


def volumes(zones: Iterable[str], count: int = 6) -> list[Manifest]:
    """Disks of the class, in every zone: what a provisioner would make when asked."""
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{zone}-{n}"},
            "spec": {
                "capacity": {"storage": "200Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast-ssd",
                "local": {"path": f"/disks/{n}"},
                "nodeAffinity": {
                    "required": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {
                                        "key": "topology.kubernetes.io/zone",
                                        "operator": "In",
                                        "values": [zone],
                                    }
                                ]
                            }
                        ]
                    }
                },
            },
        }
        for zone in zones
        for n in range(count)
    ]


def made_of(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The objects that operators make of these."""
    built = cluster(manifests)
    pods = [thing for m in built.manifests for thing in _pods(m)]
    return [*_secrets(built), *_services(built), *pods]


def _secrets(built: Cluster) -> Iterator[Manifest]:
    in_git = built.objects("Secret")
    for (namespace, name), keys in built.secrets.items():
        if (namespace, name) not in in_git:
            data = dict.fromkeys(keys, "made by a stand-in")
            yield _object("v1", "Secret", namespace, name, stringData=data)


def _services(built: Cluster) -> Iterator[Manifest]:
    in_git = built.objects("Service")
    for (namespace, name), ports in built.services.items():
        if (namespace, name) not in in_git:
            spec = {
                "selector": built.selectors[namespace, name],
                "ports": [{"name": n, "port": p} for n, p in ports.items()],
            }
            yield _object("v1", "Service", namespace, name, spec=spec)


def _pods(manifest: Manifest) -> Iterator[Manifest]:
    metadata, spec = manifest["metadata"], manifest.get("spec", {})
    where = (metadata.get("namespace", ""), metadata["name"])
    match manifest["kind"]:
        case "Cluster":
            yield _database(*where, spec)
            yield from _budget(*where, spec)
        case "Elasticsearch":
            for nodes in spec["nodeSets"]:
                yield _search_nodes(*where, nodes)
        case "OpenTelemetryCollector":
            labels = {"app.kubernetes.io/name": f"{where[1]}-collector"}
            pod = _pod(labels, "otc-container", spec["resources"])
            yield _workload(
                "Deployment", where[0], f"{where[1]}-collector", spec["replicas"], pod
            )


def _database(namespace: str, name: str, spec: Manifest) -> Manifest:
    """CloudNativePG's pods, by a StatefulSet, which it does without."""
    labels = {"cnpg.io/cluster": name}
    pod = _pod(labels, "postgres", spec["resources"])
    pod["spec"]["priorityClassName"] = spec.get("priorityClassName", "")
    affinity = spec.get("affinity", {})
    if affinity.get("podAntiAffinityType") == "required":
        pod["spec"]["affinity"] = {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": labels},
                        "topologyKey": affinity["topologyKey"],
                    }
                ]
            }
        }
    if spec.get("plugins"):
        # The sidecar that archives; troubleshooting reads its log.
        beside = {**pod["spec"]["containers"][0], "name": "plugin-barman-cloud"}
        beside["resources"] = {}
        pod["spec"]["containers"].append(beside)
    made = _workload("StatefulSet", namespace, name, spec["instances"], pod)
    made["spec"]["ordinals"] = {"start": 1}
    made["spec"]["podManagementPolicy"] = "Parallel"
    made["spec"]["volumeClaimTemplates"] = [_claim("data", spec["storage"])]
    return made


def _budget(namespace: str, name: str, spec: Manifest) -> Iterator[Manifest]:
    """CloudNativePG lets a drain take one instance at most, or none at all."""
    if spec.get("enablePDB") is not False:
        budget = {
            "minAvailable": max(1, spec["instances"] - 1),
            "selector": {"matchLabels": {"cnpg.io/cluster": name}},
        }
        kind = "PodDisruptionBudget"
        yield _object("policy/v1", kind, namespace, name, spec=budget)


def _search_nodes(namespace: str, name: str, nodes: Manifest) -> Manifest:
    template = nodes["podTemplate"]["spec"]
    labels = {"elasticsearch.k8s.elastic.co/cluster-name": name}
    resources = template["containers"][0]["resources"]
    pod = _pod(labels, "elasticsearch", resources)
    for given in ("affinity", "priorityClassName", "topologySpreadConstraints"):
        if given in template:
            pod["spec"][given] = template[given]
    whole = f"{name}-es-{nodes['name']}"
    made = _workload("StatefulSet", namespace, whole, nodes["count"], pod)
    # ECK itself decides when a pod is replaced.
    made["spec"]["updateStrategy"] = {"type": "OnDelete"}
    made["spec"]["podManagementPolicy"] = "Parallel"
    asked = nodes["volumeClaimTemplates"][0]["spec"]
    size = {
        "size": asked["resources"]["requests"]["storage"],
        "storageClass": asked["storageClassName"],
    }
    made["spec"]["volumeClaimTemplates"] = [_claim("elasticsearch-data", size)]
    return made


def of_charts(system: str) -> list[Manifest]:
    """What the charts of the platform run in a namespace, and somebody asks for."""
    match system:
        case "security":
            return [_operator("cert-manager"), _operator("external-secrets")]
        case "monitoring":
            labels = {"app.kubernetes.io/name": "prometheus"}
            name = "prometheus-kube-prometheus-stack-prometheus"
            room = {"requests": {"cpu": "500m", "memory": "2Gi"}}
            pod = _pod(labels, "prometheus", room)
            return [_workload("StatefulSet", system, name, 1, pod)]
    return []


def _operator(name: str) -> Manifest:
    pod = _pod({"app.kubernetes.io/name": name}, name, {})
    return _workload("Deployment", "security", name, 1, pod)


def _object(
    version: str, kind: str, namespace: str, name: str, **rest: Any
) -> Manifest:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _pod(labels: dict[str, str], container: str, resources: Any) -> Manifest:
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [
                {
                    "name": container,
                    "image": "stand-in",
                    "resources": resources,
                    "securityContext": restricted,
                }
            ]
        },
    }


def _workload(
    kind: str, namespace: str, name: str, replicas: int, pod: Manifest
) -> Manifest:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": pod["metadata"]["labels"]},
        "template": pod,
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return _object("apps/v1", kind, namespace, name, spec=spec)


def _claim(name: str, storage: Manifest) -> Manifest:
    return {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage["storageClass"],
            "resources": {"requests": {"storage": storage["size"]}},
        },
    }


def say(plane: ControlPlane, things: Iterable[Manifest], commit: str = "") -> None:
    """Write into each object the status of one that is well."""
    for thing in things:
        group, _ = kind = kind_of(thing)
        if kind in KINDS | {BACKUP} and group not in FROM_KUBERNETES:
            status = healthy(thing, commit)["status"]
            path = plane.path(thing)
            said = plane.request("PATCH", f"{path}/status", {"status": status})
            if said["kind"] == "Status":
                # A stand-in's definition has no status apart.
                plane.request("PATCH", path, {"status": status})


def backups(manifests: Iterable[Manifest]) -> list[Manifest]:
    """One of each database that has a schedule."""
    return [
        _object(
            "postgresql.cnpg.io/v1",
            "Backup",
            schedule["metadata"]["namespace"],
            f"{schedule['spec']['cluster']['name']}-first",
            spec={"cluster": {"name": schedule["spec"]["cluster"]["name"]}},
        )
        for schedule in manifests
        if schedule["kind"] == "ScheduledBackup"
    ]
