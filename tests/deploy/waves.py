"""The order in which Argo CD brings things: nothing before what it needs."""

from tests.deploy.cluster import Cluster, key
from tests.deploy.rendering import Manifest, containers, label, of_kind, workloads

WAVE = "argocd.argoproj.io/sync-wave"


def wave(manifest: Manifest) -> int:
    return int(manifest["metadata"].get("annotations", {}).get(WAVE, 0))


def too_early(cluster: Cluster) -> list[str]:
    """One line per pod that starts no later than something it cannot do without."""
    found = []
    made = _made_in(cluster)
    for manifest, template in workloads(cluster.manifests):
        own = wave(manifest)
        for need in sorted(_needs(manifest, template)):
            if made.get(need, own) >= own and made.get(need) is not None:
                what = "/".join(need)
                found.append(f"{label(manifest)} (wave {own}) needs {what} earlier")
    return found


Need = tuple[str, str, str]


def _made_in(cluster: Cluster) -> dict[Need, int]:
    """The wave in which each Secret, ConfigMap and account comes to be."""
    made = {}
    for manifest in cluster.manifests:
        namespace, name = key(manifest)
        match manifest["kind"]:
            case "ExternalSecret":
                kind, name = "Secret", manifest["spec"]["target"]["name"]
            case "Certificate":
                kind, name = "Secret", manifest["spec"]["secretName"]
            case kind:
                pass
        made[kind, namespace, name] = wave(manifest)
    return made


def _needs(manifest: Manifest, template: Manifest) -> set[Need]:
    namespace, _ = key(manifest)
    spec = template["spec"]
    needs = {("ServiceAccount", spec["serviceAccountName"])}
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            needs.add(("ConfigMap", volume["configMap"]["name"]))
        if "secret" in volume:
            needs.add(("Secret", volume["secret"]["secretName"]))
    for container in containers(template):
        for source in container.get("envFrom", []):
            needs.add(("ConfigMap", source["configMapRef"]["name"]))
        for variable in container.get("env", []):
            ref = variable.get("valueFrom", {}).get("secretKeyRef")
            if ref:
                needs.add(("Secret", ref["name"]))
    return {(kind, namespace, name) for kind, name in needs}


def wave_of(cluster: Cluster, kind: str, name: str) -> int:
    (found,) = (
        m for m in of_kind(cluster.manifests, kind) if m["metadata"]["name"] == name
    )
    return wave(found)
