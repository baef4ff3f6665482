"""Prometheus, Grafana, the collector and Fluent Bit are told what is true."""

import json
import re
from fnmatch import fnmatch
from typing import Any

import pytest
import yaml

from tests.deploy.connectivity import NAME
from tests.deploy.rendering import (
    DEPLOY,
    ENVIRONMENTS,
    KUSTOMIZE,
    SYSTEMS,
    Manifest,
    environment,
    named,
    of_kind,
)
from tests.observe.sources import TEMPORAL_METRICS

STACK = "argocd/applications/platform/application-kube-prometheus-stack.yaml"
VALUES = yaml.safe_load((DEPLOY / STACK).read_text())["spec"]["source"]["helm"][
    "valuesObject"
]

OF_PROMETHEUS = {
    *("up", "job", "absent", "count", "sum", "rate", "increase", "label_replace"),
    *("and", "by", "on", "or", "vector"),
}


def test_prometheus_keeps_a_month_on_a_fast_disk() -> None:
    spec = VALUES["prometheus"]["prometheusSpec"]
    assert spec["retention"] == "30d"
    claim = spec["storageSpec"]["volumeClaimTemplate"]["spec"]
    assert claim["storageClassName"] == "fast-ssd"
    assert claim["resources"]["requests"]["storage"] == "100Gi"


def test_prometheus_takes_every_monitor_and_rule() -> None:
    spec = VALUES["prometheus"]["prometheusSpec"]
    for kind in ("serviceMonitor", "podMonitor", "rule"):
        assert spec[f"{kind}Selector"] == {}
        assert spec[f"{kind}SelectorNilUsesHelmValues"] is False


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_grafanas_password_is_in_a_secret_that_exists(name: str) -> None:
    grafana = VALUES["grafana"]
    assert "adminPassword" not in grafana
    admin = grafana["admin"]
    made = [
        secret["spec"]["target"]["name"]
        for secret in of_kind(environment(name), "ExternalSecret")
        if secret["metadata"]["namespace"] == "monitoring"
    ]
    assert admin["existingSecret"] in made


@pytest.mark.parametrize(
    ("part", "port"),
    [
        ("kubeControllerManager", 10257),
        ("kubeScheduler", 10259),
        ("kubeProxy", 10249),
        ("kubeEtcd", 2381),
        ("kubelet", 10250),
    ],
)
def test_what_prometheus_cannot_reach_raises_no_alarm(part: str, port: int) -> None:
    """The chart has an alert for each part of the cluster that it does not see."""
    policy = named(environment("production"), "NetworkPolicy", "prometheus")
    (to_nodes,) = (e for e in policy["spec"]["egress"] if "ipBlock" in e["to"][0])
    reached = port in {entry["port"] for entry in to_nodes["ports"]}
    assert VALUES.get(part, {}).get("enabled", True) is reached


@pytest.mark.parametrize("name", ["staging", "production"])
def test_somebody_is_told_of_every_alert(name: str) -> None:
    spec = VALUES["alertmanager"]["alertmanagerSpec"]
    assert spec["useExistingSecret"] is True
    (template,) = (
        secret["spec"]["target"]["template"]["data"]["alertmanager.yaml"]
        for secret in of_kind(environment(name), "ExternalSecret")
        if secret["spec"]["target"]["name"] == spec["configSecret"]
    )
    told = yaml.safe_load(re.sub(r"{{.*?}}", "https://pager.example.com", template))
    sends = {r["name"]: len(r) > 1 for r in told["receivers"]}
    for severity in _severities():
        taken = [
            route["receiver"]
            for route in told["route"]["routes"]
            if _is_for(route["matchers"], severity)
        ]
        assert sends[taken[0] if taken else told["route"]["receiver"]], severity


def _severities() -> set[str]:
    return {
        rule["labels"]["severity"]
        for rules in of_kind(environment("production"), "PrometheusRule")
        for group in rules["spec"]["groups"]
        for rule in group["rules"]
    }


def _is_for(matchers: list[str], severity: str) -> bool:
    """Of matchers that look at the severity alone, as ours do."""
    (matcher,) = matchers
    label, _, pattern = re.split(r" (=~|=) ", matcher)
    assert label == "severity"
    return re.fullmatch(pattern.strip('"'), severity) is not None


def test_grafana_takes_the_dashboards_by_their_label() -> None:
    sidecar = VALUES["grafana"]["sidecar"]["dashboards"]
    for board in dashboards():
        labels = board["metadata"]["labels"]
        assert labels[sidecar["label"]] == sidecar["labelValue"]
        assert sidecar["folderAnnotation"] in board["metadata"]["annotations"]


def dashboards() -> list[Manifest]:
    found = [
        m
        for m in of_kind(environment("production"), "ConfigMap")
        if m["metadata"]["name"].startswith("dashboard-")
    ]
    assert found
    return found


def test_the_first_dashboard_is_the_designed_one() -> None:
    board = named(
        environment("production"), "ConfigMap", "dashboard-temporal-business-metrics"
    )
    (text,) = board["data"].values()
    made = json.loads(text)
    assert made["title"] == "Temporal Business Metrics"
    assert [panel["title"] for panel in made["panels"]] == [
        "Workflow Executions",
        "Task Queue Lag",
        "Worker Health",
    ]


def test_the_designed_alerts_are_there() -> None:
    rules = [
        rule
        for made in of_kind(environment("production"), "PrometheusRule")
        for group in made["spec"]["groups"]
        for rule in group["rules"]
    ]
    severity = {rule["alert"]: rule["labels"]["severity"] for rule in rules}
    assert severity.items() >= {
        ("TemporalServerDown", "critical"),
        ("HighWorkflowFailureRate", "warning"),
        ("DatabaseConnectionIssue", "critical"),
    }
    for rule in rules:
        assert rule["annotations"].keys() >= {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"].endswith(f"/{rule['alert']}.md")


def _server_metrics() -> set[str]:
    return set(json.loads(TEMPORAL_METRICS.read_text())["server"])


def test_the_designed_alerts_and_panels_use_metrics_that_exist() -> None:
    rule = named(environment("production"), "PrometheusRule", "temporal")
    board = named(
        environment("production"), "ConfigMap", "dashboard-temporal-business-metrics"
    )
    (text,) = board["data"].values()
    expressions = [
        r["expr"] for group in rule["spec"]["groups"] for r in group["rules"]
    ] + [t["expr"] for p in json.loads(text)["panels"] for t in p["targets"]]
    used = {
        metric
        for expression in expressions
        # Names in {…}, (…) after `by` and "…" are labels and values.
        for metric in re.findall(
            r"[a-z_]{2,}",
            re.sub(r'by \([^)]*\)|{[^}]*}|"[^"]*"|\[[^]]*]', "", expression),
        )
    }
    assert used - OF_PROMETHEUS - _server_metrics() == set()


def test_a_kind_of_server_of_which_no_pod_is_left_is_missed() -> None:
    made = environment("production")
    groups = named(made, "PrometheusRule", "temporal")["spec"]["groups"]
    (down,) = (
        rule["expr"]
        for group in groups
        for rule in group["rules"]
        if rule["alert"] == "TemporalServerDown"
    )
    kinds = {
        deployment["metadata"]["name"]
        for deployment in of_kind(made, "Deployment")
        if deployment["metadata"]["labels"][NAME] == "temporal-server"
    }
    assert set(re.findall(r"absent\(up{[^}]*pod=~\"(.+?)-\.\+\"", down)) == kinds


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_job_is_named_like_its_workload(name: str) -> None:
    # The alerts say up{job="temporal-server"}.
    for monitor in of_kind(environment(name), "PodMonitor"):
        spec = monitor["spec"]
        if monitor["metadata"]["name"] != "postgresql":
            assert spec["jobLabel"] == "app.kubernetes.io/name"


@pytest.mark.parametrize("workload", ["temporal-server", "temporal-worker"])
def test_temporals_own_label_namespace_is_kept(workload: str) -> None:
    monitor = named(environment("production"), "PodMonitor", workload)
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    assert {"kubernetes_namespace"} == {
        r["targetLabel"] for r in endpoint["relabelings"]
    }


def collector(name: str) -> dict[str, Any]:
    made = named(environment(name), "OpenTelemetryCollector", "temporal-otel")
    config: dict[str, Any] = made["spec"]["config"]
    return config


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_pipelines_use_what_is_declared_and_all_of_it(name: str) -> None:
    config = collector(name)
    pipelines = config["service"]["pipelines"].values()
    for part in ("receivers", "processors", "exporters"):
        used = {entry for pipeline in pipelines for entry in pipeline[part]}
        assert used == config[part].keys()
    assert set(config["service"]["extensions"]) == config["extensions"].keys()
    for pipeline in pipelines:
        assert pipeline["processors"][0] == "memory_limiter"
        assert pipeline["processors"][-1] == "batch"
    assert "jaeger" not in config["exporters"]


def test_spans_say_which_environment_they_are_from() -> None:
    for name in ENVIRONMENTS:
        (attribute,) = collector(name)["processors"]["resource"]["attributes"]
        assert attribute["value"] == name


def test_logs_keep_the_services_fields() -> None:
    folder = KUSTOMIZE / "base/monitoring/fluent-bit"
    text = (folder / "fluent-bit.conf").read_text()
    sections = dict(re.findall(r"\[(\w+)\]\n((?:    .+\n)+)", text))
    settings = {
        section: dict(
            line.split(None, 1) for line in body.splitlines() if "#" not in line
        )
        for section, body in sections.items()
    }
    assert settings["INPUT"]["Path"] == "/var/log/containers/*temporal*.log"
    assert settings["FILTER"]["Merge_Log"] == "On"
    assert settings["OUTPUT"]["Name"] == "forward"
    parsers = (folder / "parsers.conf").read_text()
    assert f"Name         {settings['FILTER']['Merge_Parser']}" in parsers
    # A file is named after its pod, namespace and container.
    file = "/var/log/containers/pod-7d9f_{}_main-0af3.log"
    namespaces = [*SYSTEMS, "logging"]
    read = {n for n in namespaces if fnmatch(file.format(n), settings["INPUT"]["Path"])}
    assert read == {"temporal-backend", "temporal-product"}
