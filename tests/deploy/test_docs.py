"""Every command and path in the pages about deployment names what exists."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from shared.contracts.orders.names import TASK_QUEUES

from tests.deploy.cluster import cluster
from tests.deploy.rendering import (
    DEPLOY,
    KUSTOMIZE,
    ROOT,
    SYSTEMS,
    Manifest,
    build,
    environment,
    of_kind,
    overlay,
)

PAGES = [
    ROOT / "docs" / name
    for name in (
        "deployment.md",
        "how-to/operate.md",
        "how-to/upgrade-temporal.md",
        "how-to/rotate-secrets.md",
        "how-to/backup-and-restore.md",
        "runbooks/troubleshooting.md",
    )
]

KINDS = {
    "application.argoproj.io": "Application",
    "applications.argoproj.io": "Application",
    "backups.postgresql.cnpg.io": "Backup",
    "certificate": "Certificate",
    "certificates.cert-manager.io": "Certificate",
    "challenges.acme.cert-manager.io": "Challenge",
    "clusterissuer": "ClusterIssuer",
    "clusters.postgresql.cnpg.io": "Cluster",
    "configmap": "ConfigMap",
    "configmaps": "ConfigMap",
    "deploy": "Deployment",
    "deployment": "Deployment",
    "externalsecret": "ExternalSecret",
    "externalsecrets.external-secrets.io": "ExternalSecret",
    "gatewayclass": "GatewayClass",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "ingressclass": "IngressClass",
    "job": "Job",
    "namespace": "Namespace",
    "networkpolicy": "NetworkPolicy",
    "podmonitor": "PodMonitor",
    "pods": "Pod",
    "prometheusrule": "PrometheusRule",
    "scaledobject": "ScaledObject",
    "scheduledbackup": "ScheduledBackup",
    "secret": "Secret",
    "secretstore": "SecretStore",
    "service": "Service",
    "storageclass": "StorageClass",
}

OF_CHARTS = {
    ("argocd", "Secret", "repository-git"),
    ("argocd", "Secret", "repository-helm"),
    ("monitoring", "Pod", "prometheus-kube-prometheus-stack-prometheus-0"),
    ("monitoring", "Service", "kube-prometheus-stack-grafana"),
    ("security", "Deployment", "cert-manager"),
    ("security", "Deployment", "external-secrets"),
    ("", "Namespace", "argocd"),
}
"""What the charts of the platform make, under the names that their values fix."""

ABOUT_A_NAME = {
    "annotate",
    "delete",
    "describe",
    "get",
    "label",
    "patch",
    "scale",
    "wait",
}

Thing = tuple[str, str, str]
"""Namespace, kind and name."""


def existing() -> set[Thing]:
    """Everything that production has, by whomever it was made."""
    drills = [m for s in ("temporal-backend", "temporal-product") for m in _drill(s)]
    applications = build(DEPLOY / "argocd/applications/production")
    root = yaml.safe_load((DEPLOY / "argocd/root/production.yaml").read_text())
    made = cluster([*environment("production"), *applications, root])
    found = {
        (m["metadata"].get("namespace", ""), m["kind"], m["metadata"]["name"])
        for m in (*made.manifests, *drills)
    }
    found |= {(ns, "Secret", name) for ns, name in made.secrets}
    found |= {(ns, "Service", name) for ns, name in made.services}
    for database in of_kind((*made.manifests, *drills), "Cluster"):
        metadata = database["metadata"]
        found.add((metadata["namespace"], "Pod", f"{metadata['name']}-1"))
    for nodes in of_kind(made.manifests, "Elasticsearch"):
        metadata = nodes["metadata"]
        found.add((metadata["namespace"], "Pod", f"{metadata['name']}-es-default-0"))
    return found | OF_CHARTS


def _drill(system: str) -> tuple[Manifest, ...]:
    return build(KUSTOMIZE / "restore-drill" / system)


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every `kubectl …` in a page."""
    text = page.read_text().replace("\\\n", " ")
    for command in re.findall(r"(?:^|[`(] ?|  )(kubectl [^\n`]+)", text, re.MULTILINE):
        yield shlex.split(command.split(" | ")[0].split(" <<")[0])


def names(words: list[str]) -> Iterator[Thing]:
    """What a command is about."""
    own = words[: words.index("--")] if "--" in words else words
    namespace = _option(own, "--namespace")
    plain = list(_without_options(own[1:]))
    for word in plain:
        kind, slash, name = word.partition("/")
        if slash and kind in KINDS:
            yield _thing(namespace, KINDS[kind], name)
    verb, *rest = plain
    if verb in ABOUT_A_NAME and rest and "/" not in rest[0]:
        assert rest[0] in KINDS, f"{' '.join(words)}: what is a {rest[0]}?"
        for name in rest[1:]:
            if re.fullmatch(r"[a-z0-9-]+[a-z0-9]", name):
                yield _thing(namespace, KINDS[rest[0]], name)
    if verb == "exec" and "/" not in rest[0]:
        yield _thing(namespace, "Pod", rest[0])


def _thing(namespace: str, kind: str, name: str) -> Thing:
    whole = kind in ("ClusterIssuer", "Namespace")
    return ("" if whole else namespace, kind, name)


def _option(words: list[str], option: str) -> str:
    return next((value for word, value in pairwise(words) if word == option), "")


def _without_options(words: list[str]) -> Iterator[str]:
    """The words that are neither an option nor its value."""
    alone = {"--overwrite", "--previous", "--server-side", "--raw"}
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("--"):
            skip = "=" not in word and word not in alone
        else:
            yield word


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_name_in_a_command_exists(page: Path) -> None:
    known = existing()
    asked = [thing for words in commands(page) for thing in names(words)]
    assert asked
    assert sorted(set(asked) - known) == []


def test_what_validate_tells_people_to_look_at_exists() -> None:
    text = (ROOT / "scripts/inside.py").read_text()
    told = re.findall(r'_logs\("(\w+)/([\w-]+)", "([\w-]+)"\)', text)
    asked = {(where, KINDS[kind], name) for kind, name, where in told}
    assert len(asked) > 3
    assert asked <= existing()


def test_each_step_of_a_first_deployment_has_its_check() -> None:
    page = (ROOT / "docs/deployment.md").read_text()
    steps = page.partition("## Step by step")[2].partition("\n## ")[0]
    numbered = re.split(r"^(\d+)\. ", steps, flags=re.MULTILINE)[1:]
    numbers, texts = numbered[::2], numbered[1::2]
    assert numbers == [str(n) for n in range(1, len(texts) + 1)]
    assert all("*Check*" in text for text in texts)


def test_a_name_that_does_not_exist_is_found() -> None:
    command = "kubectl logs deployment/temporal-server --namespace temporal-backend"
    assert not set(names(command.split())) <= existing()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_namespaces_and_task_queues_of_temporal_exist(page: Path) -> None:
    for words in commands(page):
        if "temporal" not in words:
            continue
        inside = words[words.index("--") :] if "--" in words else []
        assert _option(inside, "--namespace") in ("", "orders")
        assert _option(inside, "--task-queue") in ("", *TASK_QUEUES)


def test_every_path_in_vault_is_in_the_table() -> None:
    page = (ROOT / "docs/deployment.md").read_text()
    made = [*environment("production"), *environment("staging")]
    made += build(DEPLOY / "argocd/applications/production")
    for secret in of_kind(made, "ExternalSecret"):
        for entry in secret["spec"].get("data", []):
            reference = entry["remoteRef"]
            row = next(ln for ln in page.splitlines() if f"`{reference['key']}`" in ln)
            assert f"`{reference['property']}`" in row


def test_the_size_in_the_page_is_the_sum_of_the_pods() -> None:
    cores, memory = 0.0, 0.0
    for system in SYSTEMS:
        for manifest in overlay("production", system):
            for count, requests in _requests(manifest):
                cores += count * _number(requests["cpu"])
                memory += count * _number(requests["memory"])
    text = (ROOT / "docs/deployment.md").read_text()
    assert f"{round(cores)} cores and {round(memory)} GiB" in text


def _requests(manifest: Manifest) -> Iterator[tuple[int, dict[str, str]]]:
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Deployment":
            for container in spec["template"]["spec"]["containers"]:
                yield spec["replicas"], container["resources"]["requests"]
        case "Cluster":
            yield spec["instances"], spec["resources"]["requests"]
        case "OpenTelemetryCollector":
            yield spec["replicas"], spec["resources"]["requests"]
        case "Elasticsearch":
            for nodes in spec["nodeSets"]:
                (container,) = nodes["podTemplate"]["spec"]["containers"]
                yield nodes["count"], container["resources"]["requests"]


def _number(quantity: str) -> float:
    """Cores, or GiB."""
    for suffix, factor in (("Gi", 1.0), ("Mi", 1 / 1024), ("m", 1 / 1000)):
        if quantity.endswith(suffix):
            return float(quantity.removesuffix(suffix)) * factor
    return float(quantity)
