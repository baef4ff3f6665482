"""Who may talk to whom, worked out from the NetworkPolicies.

A connection needs the leave of both ends: of the policies that select its source
(egress) and of those that select its target (ingress). A pod that no policy selects
may do anything. `ipBlock` means addresses outside the cluster, as Kubernetes says.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.deploy.cluster import Cluster, key
from tests.deploy.ports import ADDRESS, texts
from tests.deploy.rendering import Manifest, containers, of_kind, workloads

NAME = "app.kubernetes.io/name"

OUR_NAMESPACES = {
    "temporal-backend",
    "temporal-product",
    "monitoring",
    "logging",
    "security",
    "kyverno",
}


@dataclass(frozen=True)
class End:
    """One end of a connection: a kind of pod, or an address outside."""

    name: str
    namespace: str | None
    labels: Mapping[str, str]
    ports: frozenset[int]
    address: str | None = None

    def __hash__(self) -> int:
        return hash(self.name)


def _foreign(name: str, *ports: int, **labels: str) -> End:
    """A pod of a chart or of somebody else: `namespace/name`, labels as it has them."""
    namespace, _, app = name.partition("/")
    named = {k.replace("__", "/").replace("_", "-"): v for k, v in labels.items()}
    return End(name, namespace, {NAME: app, **named}, frozenset(ports))


_WEBHOOK = {NAME: "webhook", "app.kubernetes.io/instance": "cert-manager"}
_OPERATOR = {"app": "kube-prometheus-stack-operator"}
_WEBHOOK_JOBS = [
    {"app": f"kube-prometheus-stack-admission-{job}"} for job in ("create", "patch")
]
_KYVERNO = {"app.kubernetes.io/part-of": "kyverno"}
_SOLVER = {"acme.cert-manager.io/http01-solver": "true"}

OTHERS = [
    _foreign("ingress-nginx/controller"),
    _foreign("kube-system/dns", 53, k8s_app="kube-dns"),
    _foreign("cnpg-system/operator", 9090),
    _foreign("elastic-system/operator"),
    _foreign("keda/operator"),
    _foreign("logging/fluentd", 24224),
    _foreign("monitoring/prometheus", 9090, 8080),
    _foreign("monitoring/alertmanager", 9093, 8080),
    _foreign("monitoring/grafana", 3000),
    _foreign("monitoring/kube-state-metrics", 8080),
    End("monitoring/operator", "monitoring", _OPERATOR, frozenset({10250})),
    *(
        End(f"monitoring/{job['app'][22:]}", "monitoring", job, frozenset())
        for job in _WEBHOOK_JOBS
    ),
    _foreign("security/cert-manager", 9402),
    _foreign("security/cainjector", 9402),
    End(
        "security/cert-manager-webhook", "security", _WEBHOOK, frozenset({9402, 10250})
    ),
    _foreign("security/external-secrets", 8080),
    _foreign("security/external-secrets-webhook", 8080, 10250),
    _foreign("security/external-secrets-cert-controller", 8080),
    End("kyverno/kyverno", "kyverno", _KYVERNO, frozenset({8000, 9443})),
    End("temporal-product/acme-solver", "temporal-product", _SOLVER, frozenset({8089})),
    End("temporal-backend/acme-solver", "temporal-backend", _SOLVER, frozenset({8089})),
    # One public and one private address stand for all.
    End("the internet", None, {}, frozenset({80, 443, 587}), "198.51.100.1"),
    End("a log store outside", None, {}, frozenset({24224}), "198.51.100.2"),
    End("the API server", None, {}, frozenset({443, 6443}), "10.0.0.1"),
]

Connections = dict[tuple[str, str], frozenset[int]]
"""Source and target, with the ports that are open between them."""


def ends(cluster: Cluster) -> list[End]:
    ours = [
        End(
            f"{pod.namespace}/{pod.name}",
            pod.namespace,
            pod.labels,
            frozenset(pod.ports.values()),
        )
        for pod in cluster.pods
    ]
    return [*ours, *OTHERS]


def connections(cluster: Cluster) -> Connections:
    """Every connection that is allowed and touches a namespace of ours."""
    policies = of_kind(cluster.manifests, "NetworkPolicy")
    guarded = {key(policy)[0] for policy in policies}
    everybody = ends(cluster)
    found: Connections = {}
    for source in everybody:
        for target in everybody:
            if source is target and source.address:
                continue
            if source.namespace not in guarded and target.namespace not in guarded:
                continue
            ports = frozenset(
                port
                for port in target.ports
                if _lets(policies, "egress", source, target, port)
                and _lets(policies, "ingress", target, source, port)
            )
            if ports:
                found[source.name, target.name] = ports
    return found


def _lets(
    policies: list[Manifest], direction: str, end: End, peer: End, port: int
) -> bool:
    """Whether the policies that select `end` allow `port` of the target."""
    selecting = [
        policy["spec"]
        for policy in policies
        if key(policy)[0] == end.namespace
        and direction.capitalize() in policy["spec"]["policyTypes"]
        and _matches(policy["spec"]["podSelector"], end.labels)
    ]
    side = "to" if direction == "egress" else "from"
    return not selecting or any(
        _opens(rule, port)
        and (side not in rule or any(_is(s, peer, end.namespace) for s in rule[side]))
        for spec in selecting
        for rule in spec.get(direction, [])
    )


def _opens(rule: Manifest, port: int) -> bool:
    return "ports" not in rule or port in {entry["port"] for entry in rule["ports"]}


def _is(selector: Manifest, peer: End, own: str | None) -> bool:
    """Whether a peer is meant; without a namespace the policy's `own` is."""
    if "ipBlock" in selector:
        return peer.address is not None and _inside(peer.address, selector["ipBlock"])
    if peer.namespace is None:
        return False
    if "namespaceSelector" in selector:
        labels = {"kubernetes.io/metadata.name": peer.namespace}
        where = _matches(selector["namespaceSelector"], labels)
    else:
        where = peer.namespace == own
    return where and _matches(selector.get("podSelector", {}), peer.labels)


def _inside(address: str, block: Manifest) -> bool:
    ip = ipaddress.ip_address(address)
    return ip in ipaddress.ip_network(block["cidr"]) and not any(
        ip in ipaddress.ip_network(hole) for hole in block.get("except", [])
    )


def _matches(selector: Manifest, labels: Mapping[str, str]) -> bool:
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", "another operator is not evaluated here"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def table(connections: Connections) -> list[str]:
    """The rows of deploy/connectivity.md: sources with the same way in share one."""
    rows: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (source, target), ports in connections.items():
        rows[target, ", ".join(map(str, sorted(ports)))].add(source)
    ours = {
        source for source, _ in connections if source.split("/")[0] in OUR_NAMESPACES
    }
    return sorted(
        f"| {target} | {ports} | "
        + ("every pod of ours" if sources >= ours else ", ".join(sorted(sources)))
        + " |"
        for (target, ports), sources in rows.items()
    )


def wanted(cluster: Cluster) -> Iterator[tuple[str, str, int]]:
    """Each connection that a workload's own settings say it will make."""
    for manifest, template in workloads(cluster.manifests):
        namespace, name = key(manifest)
        for text in _settings_of(cluster, namespace, template):
            for service, where, port in ADDRESS.findall(text):
                selector = cluster.selectors.get((where, service))
                if not port or selector is None:
                    continue
                for pod in cluster.selected(where, selector):
                    target = f"{pod.namespace}/{pod.name}"
                    yield (
                        f"{namespace}/{name}",
                        target,
                        _target_port(cluster, where, service, pod.ports, int(port)),
                    )


def _settings_of(cluster: Cluster, namespace: str, template: Manifest) -> Iterator[str]:
    names = {
        source["configMapRef"]["name"]
        for container in containers(template)
        for source in container.get("envFrom", [])
    }
    for config_map in of_kind(cluster.manifests, "ConfigMap"):
        if key(config_map)[0] == namespace and key(config_map)[1] in names:
            yield from texts(config_map["data"])
    secrets = {
        variable["valueFrom"]["secretKeyRef"]["name"]
        for container in containers(template)
        for variable in container.get("env", [])
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    for secret in of_kind(cluster.manifests, "ExternalSecret"):
        target = secret["spec"]["target"]
        if key(secret)[0] == namespace and target["name"] in secrets:
            yield from texts(target.get("template", {}))
    yield from texts(template)


def _target_port(
    cluster: Cluster,
    namespace: str,
    service: str,
    open_ports: Mapping[str, int],
    port: int,
) -> int:
    """The pod's port behind the Service's."""
    for manifest in of_kind(cluster.manifests, "Service"):
        if key(manifest) == (namespace, service):
            for entry in manifest["spec"]["ports"]:
                if entry["port"] == port:
                    target = entry["targetPort"]
                    return open_ports.get(target, port)
    return port
