"""What every pod of ours must be like."""

import re
from collections.abc import Iterator

from tests.deploy.rendering import Manifest, containers, label, workloads

RELEASED = re.compile(
    r"^jfrog\.example\.com/[a-z0-9./-]+(:(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$"
)

PRIVILEGED = {"fluent-bit": "reads the node's log files, which belong to root"}


def shortcomings(manifests: tuple[Manifest, ...]) -> list[str]:
    """One line per way in which a pod is not as pods here are."""
    return [
        f"{label(manifest)} {problem}"
        for manifest, template in workloads(manifests)
        for problem in _problems(manifest, template)
    ] + [
        f"{label(manifest)} {problem}"
        for manifest in manifests
        for problem in _operated(manifest)
    ]


def _operated(manifest: Manifest) -> Iterator[str]:
    """Of what an operator makes pods of."""
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Cluster" if spec["instances"] == 1:
            if spec.get("enablePDB") is not False:
                yield "keeps its only instance where it is: no node can be drained"
        case "Cluster":
            if spec.get("enablePDB") is False:
                yield "lets a drain take all its instances"
            if spec["affinity"].get("podAntiAffinityType") != "required":
                yield "may have two instances in one zone"
        case "Elasticsearch":
            for nodes in spec["nodeSets"]:
                for container in nodes["podTemplate"]["spec"]["containers"]:
                    if not container["securityContext"].get("readOnlyRootFilesystem"):
                        yield "may write to its root file system"


def _problems(manifest: Manifest, template: Manifest) -> Iterator[str]:
    spec = template["spec"]
    talks_to_api = manifest["metadata"]["name"] in PRIVILEGED
    if not talks_to_api and spec.get("automountServiceAccountToken") is not False:
        yield "mounts a token that it does not need"
    if spec.get("enableServiceLinks") is not False:
        yield "lets the names of Services into its environment"
    if not talks_to_api:
        yield from _not_restricted(spec)
    if manifest["kind"] == "Job" and "priorityClassName" not in spec:
        yield "blocks a sync, and gives way to everybody"
    for constraint in spec.get("topologySpreadConstraints", []):
        yield from _spread(constraint)
    for container in containers(template):
        yield from _container(manifest, container)


def _spread(constraint: Manifest) -> Iterator[str]:
    strict = constraint["whenUnsatisfiable"] == "DoNotSchedule"
    if strict and constraint.get("nodeTaintsPolicy") != "Honor":
        # The lost zone counts with no pod in it, so the others may have one each.
        yield f"waits for a {constraint['topologyKey']} that is lost"
    # Since 1.34 the API server takes such a template, and then none of its pods.
    selector = constraint["labelSelector"]
    keys = {*selector.get("matchLabels", {})}
    keys |= {each["key"] for each in selector.get("matchExpressions", [])}
    for key in sorted(keys & {*constraint.get("matchLabelKeys", [])}):
        yield f"names {key} in labelSelector and in matchLabelKeys"


def _not_restricted(spec: Manifest) -> Iterator[str]:
    """The pod security standard `restricted`, as the namespaces enforce it."""
    pod = spec.get("securityContext", {})
    if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
        yield "may run as root"
    if pod.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"uses {field}"
    allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
    for volume in spec.get("volumes", []):
        if not allowed & volume.keys():
            yield f"mounts volume {volume['name']} of a forbidden type"


def _container(manifest: Manifest, container: Manifest) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root file system"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    for bound in ("requests", "limits"):
        if container.get("resources", {}).get(bound, {}).keys() != {"cpu", "memory"}:
            yield f"has no {bound} of cpu and memory"
    if not RELEASED.match(container["image"]):
        yield f"runs {container['image']}: neither released nor ours"
    lives = manifest["kind"] != "Job" and container.get("ports")
    for probe in ("livenessProbe", "readinessProbe"):
        if lives and probe not in container:
            yield f"has no {probe}"
