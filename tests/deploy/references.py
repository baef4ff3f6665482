"""Every name that one object says of another must exist."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.cluster import Cluster, key
from tests.deploy.rendering import (
    Manifest,
    containers,
    label,
    of_kind,
    pod_template,
    workloads,
)


def missing_names(cluster: Cluster) -> list[str]:
    """One line per name that nothing in the cluster answers to."""
    found: list[str] = []
    for manifest, template in workloads(cluster.manifests):
        found += _of_pod(cluster, manifest, template)
    for manifest in cluster.manifests:
        found += _of_object(cluster, manifest)
    return found


def _of_pod(cluster: Cluster, manifest: Manifest, template: Manifest) -> Iterator[str]:
    namespace, _ = key(manifest)
    spec = template["spec"]

    def absent(kind: str, name: str, where: set[Any] | dict[Any, Any]) -> Iterator[str]:
        if (namespace, name) not in where:
            yield f"{label(manifest)} names {kind} {name}, which nothing makes"

    account = spec["serviceAccountName"]
    yield from absent("ServiceAccount", account, cluster.objects("ServiceAccount"))
    priority = spec.get("priorityClassName")
    if priority and ("", priority) not in cluster.objects("PriorityClass"):
        yield f"{label(manifest)} names PriorityClass {priority}"
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            name = volume["configMap"]["name"]
            yield from absent("ConfigMap", name, cluster.config_maps)
        elif "secret" in volume:
            items = [item["key"] for item in volume["secret"].get("items", [])]
            yield from _secret_keys(
                cluster, manifest, volume["secret"]["secretName"], items
            )
        elif "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            yield from absent("claim", claim, cluster.objects("PersistentVolumeClaim"))
    mounted = {volume["name"] for volume in spec.get("volumes", [])}
    for container in containers(template):
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in mounted:
                yield f"{label(manifest)} mounts volume {mount['name']}"
        for source in container.get("envFrom", []):
            name = source["configMapRef"]["name"]
            yield from absent("ConfigMap", name, cluster.config_maps)
        for variable in container.get("env", []):
            ref = variable.get("valueFrom", {}).get("secretKeyRef")
            if ref:
                yield from _secret_keys(cluster, manifest, ref["name"], [ref["key"]])


def _secret_keys(
    cluster: Cluster, manifest: Manifest, name: str, keys: list[str]
) -> Iterator[str]:
    held = cluster.secrets.get((key(manifest)[0], name))
    if held is None:
        yield f"{label(manifest)} names Secret {name}, which nothing makes"
        return
    for wanted in keys:
        if wanted not in held:
            yield f"{label(manifest)} wants {wanted} of Secret {name}: {sorted(held)}"


def _of_object(cluster: Cluster, manifest: Manifest) -> Iterator[str]:
    namespace = manifest["metadata"].get("namespace", "")
    for kind, name, keys in _named_by(manifest):
        where = "" if kind in OF_THE_CLUSTER else namespace
        if kind == "Secret":
            yield from _secret_keys(cluster, manifest, name, keys)
        elif kind == "ManagementContext":
            if ("security", name) not in cluster.objects(kind):
                yield f"{label(manifest)} names {kind} {name}, which nothing makes"
        elif (where, name) not in cluster.objects(kind):
            yield f"{label(manifest)} names {kind} {name}, which nothing makes"


OF_THE_CLUSTER = {
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "Namespace",
    "PriorityClass",
}
"""The kinds without a namespace."""

Named = tuple[str, str, list[str]]
"""Kind, name and, of a Secret, the keys that are wanted."""


def _named_by(manifest: Manifest) -> Iterator[Named]:
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Certificate":
            yield spec["issuerRef"]["kind"], spec["issuerRef"]["name"], []
        case "Issuer":
            yield "Secret", spec["ca"]["secretName"], ["tls.crt", "tls.key"]
        case "ExternalSecret":
            yield from _external_secret(spec)
        case "SecretStore":
            kubernetes = spec["provider"]["vault"]["auth"]["kubernetes"]
            yield "ServiceAccount", kubernetes["serviceAccountRef"]["name"], []
        case "Webhook":
            for secret in spec["secrets"]:
                yield "Secret", secret["secretRef"]["name"], []
        case "Cluster":
            yield from _postgresql(spec)
        case "Database" | "ScheduledBackup":
            yield "Cluster", spec["cluster"]["name"], []
        case "ObjectStore":
            for ref in spec["configuration"]["s3Credentials"].values():
                yield "Secret", ref["name"], [ref["key"]]
        case "Elasticsearch":
            for nodes in spec["nodeSets"]:
                pod = nodes["podTemplate"]["spec"]
                if "priorityClassName" in pod:
                    yield "PriorityClass", pod["priorityClassName"], []
                for secret in pod.get("imagePullSecrets", []):
                    yield "Secret", secret["name"], [".dockerconfigjson"]
            secrets = [*spec["auth"]["fileRealm"], *spec["auth"]["roles"]]
            for secret in [*secrets, *spec.get("secureSettings", [])]:
                yield "Secret", secret["secretName"], []
        case "HorizontalPodAutoscaler" | "ScaledObject":
            target = spec["scaleTargetRef"]
            yield target.get("kind", "Deployment"), target["name"], []
            for trigger in spec.get("triggers", []):
                yield "TriggerAuthentication", trigger["authenticationRef"]["name"], []
        case "TriggerAuthentication":
            for ref in spec["secretTargetRef"]:
                yield "Secret", ref["name"], [ref["key"]]
        case "RoleBinding" | "ClusterRoleBinding":
            yield manifest["roleRef"]["kind"], manifest["roleRef"]["name"], []
        case "ServiceAccount":
            for secret in manifest.get("imagePullSecrets", []):
                yield "Secret", secret["name"], [".dockerconfigjson"]
        case "Ingress":
            for tls in spec["tls"]:
                yield "Secret", tls["secretName"], ["tls.crt", "tls.key"]
        case "Gateway":
            if ref := spec.get("infrastructure", {}).get("parametersRef"):
                yield ref["kind"], ref["name"], []
            for listener in spec["listeners"]:
                for ref in listener.get("tls", {}).get("certificateRefs", []):
                    yield "Secret", ref["name"], ["tls.crt", "tls.key"]
        case "HTTPRoute" | "GRPCRoute":
            for ref in spec["parentRefs"]:
                yield "Gateway", ref["name"], []
        case "BackendTLSPolicy":
            for ref in spec["validation"]["caCertificateRefs"]:
                yield ref["kind"], ref["name"], ["ca.crt"]
        case "ApiV4Definition" | "Application":
            yield "ManagementContext", spec["contextRef"]["name"], []
        case "ManagementContext":
            yield "Secret", spec["auth"]["secretRef"]["name"], ["bearerToken"]
        case "Subscription":
            yield "ApiV4Definition", spec["api"]["name"], []
            yield "Application", spec["application"]["name"], []


def _external_secret(spec: Manifest) -> Iterator[Named]:
    if "secretStoreRef" in spec:
        yield spec["secretStoreRef"]["kind"], spec["secretStoreRef"]["name"], []
    for source in spec.get("dataFrom", []):
        generator = source["sourceRef"]["generatorRef"]
        yield generator["kind"], generator["name"], []


def _postgresql(spec: Manifest) -> Iterator[Named]:
    yield "Secret", spec["bootstrap"]["initdb"]["secret"]["name"], _LOGIN
    for role in spec.get("managed", {}).get("roles", []):
        yield "Secret", role["passwordSecret"]["name"], _LOGIN
    for name in spec["certificates"].values():
        yield "Secret", name, ["ca.crt", "tls.crt"]
    for secret in spec.get("imagePullSecrets", []):
        yield "Secret", secret["name"], [".dockerconfigjson"]
    for plugin in spec.get("plugins", []):
        yield "ObjectStore", plugin["parameters"]["barmanObjectName"], []
    if "priorityClassName" in spec:
        yield "PriorityClass", spec["priorityClassName"], []


_LOGIN = ["username", "password"]


def unselected(cluster: Cluster) -> list[str]:
    """Services and budgets that do not select one workload, and the reverse."""
    found = []
    for manifest in of_kind(cluster.manifests, "Service", "PodDisruptionBudget"):
        selector = manifest["spec"]["selector"]
        labels = selector.get("matchLabels", selector)
        pods = cluster.selected(key(manifest)[0], labels)
        if len({pod.name for pod in pods}) != 1:
            names = sorted(pod.name for pod in pods)
            found.append(f"{label(manifest)} selects {names}, not one workload")
    for manifest in of_kind(cluster.manifests, "Deployment", "DaemonSet"):
        template = pod_template(manifest)
        assert template is not None
        selector = manifest["spec"]["selector"]["matchLabels"]
        if not selector.items() <= template["metadata"]["labels"].items():
            found.append(f"{label(manifest)} does not select its own pods")
        pods = cluster.selected(key(manifest)[0], selector)
        if len(pods) != 1:
            names = sorted(pod.name for pod in pods)
            found.append(f"{label(manifest)} also selects the pods of {names}")
    return found


def misplaced(cluster: Cluster) -> list[str]:
    """Objects of the whole cluster with a namespace, and others without one."""
    return [
        f"{label(manifest)} has the wrong scope"
        for manifest in cluster.manifests
        if ("namespace" in manifest["metadata"]) == (manifest["kind"] in OF_THE_CLUSTER)
    ]
