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


def waiting_claims(cluster: Cluster) -> list[str]:
    """One line per disk that nobody binds, because its wave has to end before a pod
    asks for it: the storage class waits for the pod, to know the zone."""
    used = {
        (key(manifest)[0], volume["persistentVolumeClaim"]["claimName"]): wave(manifest)
        for manifest, template in workloads(cluster.manifests)
        for volume in template["spec"].get("volumes", [])
        if "persistentVolumeClaim" in volume
    }
    claims = of_kind(cluster.manifests, "PersistentVolumeClaim")
    return [
        f"{label(claim)} of wave {wave(claim)} waits for wave {used[key(claim)]}"
        for claim in claims
        if wave(claim) < used[key(claim)]
    ]


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
