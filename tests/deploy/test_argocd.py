"""Argo CD is let do what the overlays need, from where they are, and no more."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.deploy.references import OF_THE_CLUSTER
from tests.deploy.rendering import (
    DEPLOY,
    ENVIRONMENTS,
    ROOT,
    SYSTEMS,
    Manifest,
    build,
    environment,
    named,
    of_kind,
    overlay,
    together,
)

OPERATORS = {
    "development": {
        "cert-manager",
        "cloudnative-pg",
        "external-secrets",
        "kube-prometheus-stack",
        "opentelemetry-operator",
        "prometheus-crds",
    }
}
OPERATORS["staging"] = OPERATORS["development"] | {
    "eck-operator",
    "kyverno",
    "plugin-barman-cloud",
}
OPERATORS["production"] = OPERATORS["staging"] | {"gravitee-operator", "keda"}
BRINGS = {
    "cert-manager": "cert-manager.io",
    "cloudnative-pg": "postgresql.cnpg.io",
    "eck-operator": "elasticsearch.k8s.elastic.co",
    "external-secrets": "external-secrets.io",
    "gravitee-operator": "gravitee.io",
    "keda": "keda.sh",
    "kube-prometheus-stack": "monitoring.coreos.com",
    "kyverno": "policies.kyverno.io",
    "opentelemetry-operator": "opentelemetry.io",
    "plugin-barman-cloud": "barmancloud.cnpg.io",
    "prometheus-crds": "monitoring.coreos.com",
}
"""The group of kinds that an environment has to use for the operator to be of use."""
SECRETS = {"existingSecret", "configSecret"}
MONITORS = {"podMonitorEnabled", "podMonitor", "podmonitor", "serviceMonitor"}
"""How the charts call the values that ask for a kind of Prometheus's."""


@pytest.fixture(params=ENVIRONMENTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def applications(name: str) -> dict[str, Manifest]:
    made = build(DEPLOY / "argocd/applications" / name)
    return {m["metadata"]["name"]: m for m in of_kind(made, "Application")}


def may(project: str) -> Manifest:
    made = build(DEPLOY / "argocd/project")
    spec: Manifest = named(made, "AppProject", project)["spec"]
    return spec


def test_one_root_brings_every_application(name: str) -> None:
    root = yaml.safe_load((DEPLOY / f"argocd/root/{name}.yaml").read_text())
    path = ROOT / root["spec"]["source"]["path"]
    assert path == DEPLOY / "argocd/applications" / name
    assert applications(name).keys() == OPERATORS[name] | set(SYSTEMS)


def test_everything_of_an_environment_is_of_one_branch(name: str) -> None:
    root = yaml.safe_load((DEPLOY / f"argocd/root/{name}.yaml").read_text())["spec"]
    ours = root["source"]["repoURL"]
    followed = {
        application["spec"]["source"]["targetRevision"]
        for application in applications(name).values()
        if application["spec"]["source"]["repoURL"] == ours
    }
    assert followed == {root["source"]["targetRevision"]}


def test_applications_mend_and_prune_by_themselves(name: str) -> None:
    for application in applications(name).values():
        policy = application["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True}
        assert "CreateNamespace=true" in policy["syncOptions"]


def test_settings_of_before_go_when_nobody_reads_them_any_more(name: str) -> None:
    for system in SYSTEMS:
        policy = applications(name)[system]["spec"]["syncPolicy"]
        assert "PruneLast=true" in policy["syncOptions"]


def test_a_system_comes_from_its_overlay(name: str) -> None:
    for system in SYSTEMS:
        spec = applications(name)[system]["spec"]
        overlay_of_it = ROOT / spec["source"]["path"]
        assert overlay_of_it == DEPLOY / "kustomize/overlays" / name / system
        assert overlay_of_it.is_dir()


def test_what_scales_itself_is_left_alone(name: str) -> None:
    made = environment("production")
    scaled = {
        m["spec"]["scaleTargetRef"]["name"]
        for m in of_kind(made, "HorizontalPodAutoscaler", "ScaledObject")
    }
    spec = applications(name)["temporal-product"]["spec"]
    ignored = {
        i["name"]
        for i in spec["ignoreDifferences"]
        if i["jsonPointers"] == ["/spec/replicas"]
    }
    assert ignored == scaled
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]


def test_the_project_allows_what_is_deployed_and_nothing_else(name: str) -> None:
    project = may("orders")
    cluster_wide = _kinds(project["clusterResourceWhitelist"])
    namespaced = _kinds(project["namespaceResourceWhitelist"])
    for manifest in environment(name):
        kind = (manifest["apiVersion"].rpartition("/")[0], manifest["kind"])
        allowed = cluster_wide if manifest["kind"] in OF_THE_CLUSTER else namespaced
        assert kind in allowed
    destinations = {d["namespace"] for d in project["destinations"]}
    namespaces = {
        m["metadata"]["name"] for m in of_kind(environment(name), "Namespace")
    }
    # Signatures are asked about where images are deployed by the pipeline alone.
    optional = {"kyverno"} if name == "development" else set()
    assert destinations - optional == namespaces
    for system in SYSTEMS:
        source = applications(name)[system]["spec"]["source"]
        assert source["repoURL"] in project["sourceRepos"]


def test_what_follows_the_branch_cannot_widen_what_it_may(name: str) -> None:
    """The pipeline moves that branch. A person applies the projects."""
    root = yaml.safe_load((DEPLOY / f"argocd/root/{name}.yaml").read_text())["spec"]
    assert root["project"] == "root"
    assert root["source"]["repoURL"] in may("root")["sourceRepos"]
    assert "clusterResourceWhitelist" not in may("root")
    assert [d["namespace"] for d in may("root")["destinations"]] == ["argocd"]
    allowed = _kinds(may("root")["namespaceResourceWhitelist"])
    made = build(DEPLOY / "argocd/applications" / name)
    brought = {(m["apiVersion"].rpartition("/")[0], m["kind"]) for m in made}
    assert brought <= allowed
    assert ("argoproj.io", "AppProject") not in allowed
    assert may("default")["destinations"] == may("default")["sourceRepos"] == []


def _kinds(entries: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(entry["group"], entry["kind"]) for entry in entries}


def test_operators_come_in_fixed_versions_with_values(name: str) -> None:
    for operator in OPERATORS[name]:
        spec = applications(name)[operator]["spec"]
        assert spec["project"] == "platform"
        assert spec["source"]["targetRevision"].removeprefix("v")[0].isdigit()
        assert values(name, operator)


def test_an_operator_is_installed_where_something_is_of_its_kinds(name: str) -> None:
    used = {m["apiVersion"].partition("/")[0] for m in environment(name)}
    idle = {o for o in OPERATORS[name] if BRINGS[o] not in used}
    assert idle == set()


def test_no_commit_makes_the_operators_project_bring_other_manifests(name: str) -> None:
    """It may bring every kind: so charts of the registry, and nothing of a branch."""
    allowed = may("platform")["sourceRepos"]
    assert allowed == ["jfrog.example.com/helm-remote"]
    for operator in OPERATORS[name]:
        assert applications(name)[operator]["spec"]["source"]["repoURL"] in allowed


def test_charts_are_those_of_the_table(name: str) -> None:
    """A chart's version is its own, and seldom that of what it installs."""
    table = dict(_table())
    charts = {
        (source["chart"], source["targetRevision"])
        for operator in OPERATORS[name]
        for source in (applications(name)[operator]["spec"]["source"],)
    }
    assert charts <= table.items()


def _table() -> Iterator[tuple[str, str]]:
    for row in (DEPLOY / "argocd/README.md").read_text().splitlines():
        if row.startswith("| `"):
            chart, version, _, source = (c.strip(" `") for c in row.split("|")[1:5])
            assert source.endswith("Chart.yaml") or source == "unverified"
            yield chart, version


def test_a_release_may_be_followed_instead_of_a_branch() -> None:
    argocd = DEPLOY / "argocd"
    followed = argocd / "components/oci-artifact"
    made = together([argocd / "applications/production"], [followed])
    project = may("orders")
    secrets = {
        m["spec"]["target"]["template"]["data"]["url"]
        for m in of_kind(made, "ExternalSecret")
    }
    for system in SYSTEMS:
        source = named(made, "Application", system)["spec"]["source"]
        assert source["repoURL"].startswith("oci://")
        assert source["repoURL"] in project["sourceRepos"]
        assert source["repoURL"] in secrets
        # scripts/deploy.sh --render writes to the same paths.
        assert source["path"] == f"deploy/kustomize/overlays/production/{system}"


def waves(name: str) -> dict[str, int]:
    return {
        n: int(a["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for n, a in applications(name).items()
    }


def values(name: str, operator: str) -> Any:
    return applications(name)[operator]["spec"]["source"]["helm"]["valuesObject"]


def found(values: Any, keys: set[str]) -> Iterator[Any]:
    """What stands under one of these keys, however deep."""
    if isinstance(values, dict):
        for key, value in values.items():
            if key in keys:
                yield value
            yield from found(value, keys)


def test_waves_bring_operators_before_those_who_use_them(name: str) -> None:
    made = waves(name)
    # Prometheus and Grafana serve nobody here; they use what `monitoring` makes.
    operators = OPERATORS[name] - {"kube-prometheus-stack"}
    assert max(made[o] for o in operators) < made["security"]
    order = [made[s] for s in SYSTEMS]
    assert order == sorted(set(order))


def test_no_operator_waits_for_what_a_later_wave_brings(name: str) -> None:
    """Each wave has to be healthy before the next one: such a wait has no end."""
    made = waves(name)
    makers = {
        **{
            m["spec"]["target"]["name"]: made[system]
            for system in SYSTEMS
            for m in of_kind(overlay(name, system), "ExternalSecret")
        },
        **{
            m["metadata"]["name"]: made[system]
            for system in SYSTEMS
            for m in of_kind(overlay(name, system), "Namespace", "Secret")
        },
    }
    for operator in OPERATORS[name]:
        given = values(name, operator)
        for need in found(given, SECRETS | {"namespaceOverride"}):
            assert makers[need] < made[operator], f"{operator} needs {need}"
        if any(found(given, MONITORS)):
            assert made["prometheus-crds"] < made[operator], f"{operator} has a monitor"


def test_the_kinds_of_prometheus_are_those_of_its_operator(name: str) -> None:
    whole, kinds = (
        applications(name)[each]["spec"]["source"]
        for each in ("kube-prometheus-stack", "prometheus-crds")
    )
    assert (whole["chart"], whole["targetRevision"]) == (
        kinds["chart"],
        kinds["targetRevision"],
    )
    assert values(name, "kube-prometheus-stack")["crds"] == {"enabled": False}
    assert values(name, "prometheus-crds")["crds"] == {"enabled": True}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_creates_the_namespace_it_is_sent_to(name: str, system: str) -> None:
    destination = applications(name)[system]["spec"]["destination"]["namespace"]
    made = {m["metadata"]["name"] for m in of_kind(overlay(name, system), "Namespace")}
    assert destination in made
