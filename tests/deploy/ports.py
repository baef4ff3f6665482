"""Whoever names a port or an address must find somebody listening there."""

import re
from collections.abc import Iterator

from tests.deploy.cluster import Cluster, Pod, key
from tests.deploy.rendering import Manifest, containers, label, of_kind, workloads

ADDRESS = re.compile(
    r"\b([a-z0-9-]+)\.([a-z-]+)\.svc(?:\.cluster\.local)?(?::(\d+))?(?![\w.-])"
)
"""A Service's name inside the cluster, with its port where one is written."""

ELSEWHERE = {
    ("default", "kubernetes"): "the API server",
    ("logging", "fluentd"): "the log store, which is not ours",
    ("temporal-backend", "temporal-internode"): "a name in a certificate, no Service",
}


def closed_doors(cluster: Cluster) -> list[str]:
    """One line per port that is named and that nothing listens on."""
    found: list[str] = []
    for manifest, template in workloads(cluster.manifests):
        found += _probes(manifest, template)
    for manifest in of_kind(cluster.manifests, "Service"):
        found += _service(cluster, manifest)
    for manifest in cluster.manifests:
        found += _backends(cluster, manifest)
        found += _monitor(cluster, manifest)
        found += _addresses(cluster, manifest)
    return found


def _probes(manifest: Manifest, template: Manifest) -> Iterator[str]:
    for container in containers(template):
        open_ports = {
            value
            for port in container.get("ports", [])
            for value in (port["name"], port["containerPort"])
        }
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            for action in ("httpGet", "tcpSocket"):
                port = container.get(probe, {}).get(action, {}).get("port")
                if port is not None and port not in open_ports:
                    yield f"{label(manifest)} {probe} asks closed port {port}"


def _service(cluster: Cluster, manifest: Manifest) -> Iterator[str]:
    namespace, _ = key(manifest)
    for pod in cluster.selected(namespace, manifest["spec"]["selector"]):
        for port in manifest["spec"]["ports"]:
            if not _listens(pod, port["targetPort"]):
                yield f"{label(manifest)} leads to closed port {port['targetPort']}"


def _listens(pod: Pod, port: str | int) -> bool:
    return port in pod.ports or port in pod.ports.values()


def _backends(cluster: Cluster, manifest: Manifest) -> Iterator[str]:
    backends: list[tuple[str, int]] = []
    if manifest["kind"] == "Ingress":
        for rule in manifest["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                backends.append((service["name"], service["port"]["number"]))
    elif manifest["kind"] in ("HTTPRoute", "GRPCRoute"):
        for rule in manifest["spec"]["rules"]:
            for ref in rule.get("backendRefs", []):
                backends.append((ref["name"], ref["port"]))
    for name, port in backends:
        ports = cluster.services.get((key(manifest)[0], name), {})
        if port not in ports.values():
            yield f"{label(manifest)} leads to {name}:{port}, which nothing serves"


def _monitor(cluster: Cluster, manifest: Manifest) -> Iterator[str]:
    if manifest["kind"] != "PodMonitor":
        return
    spec = manifest["spec"]
    exists = {e["key"] for e in spec["selector"].get("matchExpressions", [])}
    labels = spec["selector"].get("matchLabels", {})
    namespaces = spec["namespaceSelector"]["matchNames"]
    pods = [
        pod
        for namespace in namespaces
        for pod in cluster.selected(namespace, labels)
        if exists <= pod.labels.keys()
    ]
    if not pods:
        yield f"{label(manifest)} selects no pod"
    for pod in pods:
        for endpoint in spec["podMetricsEndpoints"]:
            if endpoint["port"] not in pod.ports:
                yield f"{label(manifest)} scrapes closed port {endpoint['port']}"


def _addresses(cluster: Cluster, manifest: Manifest) -> Iterator[str]:
    for text in texts({k: v for k, v in manifest.items() if k != "metadata"}):
        for name, namespace, port in ADDRESS.findall(text):
            if (namespace, name) in ELSEWHERE:
                continue
            ports = cluster.services.get((namespace, name))
            if ports is None:
                yield f"{label(manifest)} calls {namespace}/{name}, which is no Service"
            elif port and int(port) not in ports.values():
                yield f"{label(manifest)} calls {name}:{port}, which nothing serves"


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
