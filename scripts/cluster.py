"""What a cluster must bring, because no chart of ours does."""

from collections.abc import Iterator

from scripts.kubectl import Object, in_git, kind_of, kubectl, resources

CRDS = {
    "gateway.networking.k8s.io": "kubectl apply of the Gateway API's standard channel",
    "gateway.nginx.org": "install NGINX Gateway Fabric 2.3 or newer",
}


def missing(environment: str) -> list[str]:
    """One line for each thing that the environment needs and the cluster has not."""
    wanted = in_git(environment)
    return sorted({*_kinds(wanted), *_classes(wanted), *_metrics(wanted)})


def _kinds(wanted: list[Object]) -> Iterator[str]:
    """cert-manager must find the Gateway API when it starts."""
    known = resources()
    for group, kind in {kind_of(w) for w in wanted}:
        if group in CRDS and (group, kind) not in known:
            yield f"the kind {kind}: {CRDS[group]} (docs/deployment.md)"


def _classes(wanted: list[Object]) -> Iterator[str]:
    for kind, name in sorted(_named(wanted)):
        if kubectl("get", kind, name).returncode != 0:
            yield f"the {kind} {name}"


def _named(wanted: list[Object]) -> Iterator[tuple[str, str]]:
    for thing in wanted:
        spec = thing.get("spec", {})
        match thing["kind"]:
            case "Ingress":
                yield "ingressclass", spec["ingressClassName"]
            case "Gateway":
                yield "gatewayclass", spec["gatewayClassName"]
            case "Cluster":
                yield "storageclass", spec["storage"]["storageClass"]


def _metrics(wanted: list[Object]) -> Iterator[str]:
    """An HPA that cannot ask for the load keeps what is there."""
    scaled = any(w["kind"] == "HorizontalPodAutoscaler" for w in wanted)
    metrics = ("get", "--raw", "/apis/metrics.k8s.io/v1beta1")
    if scaled and kubectl(*metrics).returncode != 0:
        yield "metrics-server"
