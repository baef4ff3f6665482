"""What a cluster would hold once the operators have done their part.

A database, a search cluster or a collector is one object in Git; Services, Secrets
and pods follow from it. Checks ask here whether a name exists, wherever it is from.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.deploy.rendering import Manifest, label, of_kind, workloads

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class Pod:
    namespace: str
    name: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]


@dataclass
class Cluster:
    manifests: tuple[Manifest, ...]
    pods: list[Pod] = field(default_factory=list)
    services: dict[Key, dict[str, int]] = field(default_factory=dict)
    """The ports of each Service by name."""
    selectors: dict[Key, dict[str, str]] = field(default_factory=dict)
    """The labels of the pods behind each Service."""
    secrets: dict[Key, set[str]] = field(default_factory=dict)
    config_maps: dict[Key, set[str]] = field(default_factory=dict)

    def objects(self, kind: str) -> set[Key]:
        return {key(m) for m in of_kind(self.manifests, kind)}

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Pod]:
        return [
            pod
            for pod in self.pods
            if pod.namespace == namespace and labels.items() <= pod.labels.items()
        ]


def key(manifest: Manifest) -> Key:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def cluster(manifests: Iterable[Manifest]) -> Cluster:
    """Everything of `manifests` and all that operators make of it."""
    made = Cluster(tuple(manifests))
    for manifest, template in workloads(made.manifests):
        _add_pod(made, manifest, template)
    for manifest in made.manifests:
        add = _FOLLOWS.get(manifest["kind"])
        if add is not None:
            add(made, manifest)
    return made


def _add_pod(made: Cluster, manifest: Manifest, template: Manifest) -> None:
    ports = {
        port["name"]: port["containerPort"]
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
    }
    labels = template.get("metadata", {}).get("labels", {})
    namespace, name = key(manifest)
    made.pods.append(Pod(namespace, name, labels, ports))


def _service(made: Cluster, manifest: Manifest) -> None:
    made.services[key(manifest)] = {
        port["name"]: port["port"] for port in manifest["spec"]["ports"]
    }
    made.selectors[key(manifest)] = manifest["spec"]["selector"]


def _secret(made: Cluster, manifest: Manifest) -> None:
    fields = {**manifest.get("data", {}), **manifest.get("stringData", {})}
    made.secrets[key(manifest)] = set(fields)


def _config_map(made: Cluster, manifest: Manifest) -> None:
    made.config_maps[key(manifest)] = set(manifest.get("data", {}))


def _external_secret(made: Cluster, manifest: Manifest) -> None:
    namespace, _ = key(manifest)
    target = manifest["spec"]["target"]
    template = target.get("template", {})
    # A template with data decides alone; without one the fetched keys are it.
    keys = set(template.get("data", {})) or {
        entry["secretKey"] for entry in manifest["spec"].get("data", [])
    }
    assert keys, f"{label(manifest)} makes an empty Secret"
    made.secrets[namespace, target["name"]] = keys


def _certificate(made: Cluster, manifest: Manifest) -> None:
    namespace, _ = key(manifest)
    name = manifest["spec"]["secretName"]
    made.secrets[namespace, name] = {"ca.crt", "tls.crt", "tls.key"}


def _issuer(made: Cluster, manifest: Manifest) -> None:
    account = manifest["spec"].get("acme", {}).get("privateKeySecretRef")
    if account:
        made.secrets["security", account["name"]] = {"tls.key"}


def _postgresql(made: Cluster, manifest: Manifest) -> None:
    namespace, name = key(manifest)
    labels = {"cnpg.io/cluster": name}
    for suffix in ("rw", "ro", "r"):
        made.services[namespace, f"{name}-{suffix}"] = {"postgresql": 5432}
        made.selectors[namespace, f"{name}-{suffix}"] = labels
    ports = {"postgresql": 5432, "metrics": 9187, "status": 8000}
    made.pods.append(Pod(namespace, name, labels, ports))


def _elasticsearch(made: Cluster, manifest: Manifest) -> None:
    namespace, name = key(manifest)
    made.secrets[namespace, f"{name}-es-http-certs-public"] = {"ca.crt", "tls.crt"}
    made.secrets[namespace, f"{name}-es-elastic-user"] = {"elastic"}
    labels = {"elasticsearch.k8s.elastic.co/cluster-name": name}
    made.services[namespace, f"{name}-es-http"] = {"https": 9200}
    made.selectors[namespace, f"{name}-es-http"] = labels
    ports = {"https": 9200, "transport": 9300}
    made.pods.append(Pod(namespace, name, labels, ports))


def _collector(made: Cluster, manifest: Manifest) -> None:
    namespace, name = key(manifest)
    ports = {"otlp-grpc": 4317, "otlp-http": 4318, "prometheus": 8889}
    labels = {"app.kubernetes.io/name": f"{name}-collector"}
    made.services[namespace, f"{name}-collector"] = ports
    made.selectors[namespace, f"{name}-collector"] = labels
    made.pods.append(Pod(namespace, f"{name}-collector", labels, ports))


def _gateway(made: Cluster, manifest: Manifest) -> None:
    namespace, name = key(manifest)
    labels = {"gateway.networking.k8s.io/gateway-name": name}
    made.pods.append(Pod(namespace, f"gateway-{name}", labels, {"https": 443}))


_FOLLOWS = {
    "Service": _service,
    "Secret": _secret,
    "ConfigMap": _config_map,
    "ExternalSecret": _external_secret,
    "Certificate": _certificate,
    "ClusterIssuer": _issuer,
    "Cluster": _postgresql,
    "Elasticsearch": _elasticsearch,
    "OpenTelemetryCollector": _collector,
    "Gateway": _gateway,
}
