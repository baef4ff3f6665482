"""What the design promises of every environment, and what production has beyond."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from tests.deploy.rendering import (
    ENVIRONMENTS,
    KUSTOMIZE,
    Manifest,
    environment,
    named,
    of_kind,
    workloads,
)

PRODUCTION = "production"

NAMESPACES = {
    "temporal-backend": ("backend", "restricted"),
    "temporal-product": ("application", "restricted"),
    "monitoring": ("monitoring", "restricted"),
    "security": ("security", "restricted"),
    # Fluent Bit reads the nodes' files.
    "logging": ("monitoring", "privileged"),
    # Where images are signed.
    "kyverno": ("security", "restricted"),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_namespaces_have_their_labels(name: str) -> None:
    found = {
        m["metadata"]["name"]: m["metadata"]["labels"]
        for m in of_kind(environment(name), "Namespace")
    }
    without = {"kyverno"} if name == "development" else set()
    assert found.keys() == NAMESPACES.keys() - without
    for namespace in found:
        tier, level = NAMESPACES[namespace]
        assert found[namespace].items() >= {
            ("name", namespace),
            ("tier", tier),
            ("monitoring", "enabled"),
            ("pod-security.kubernetes.io/enforce", level),
            ("pod-security.kubernetes.io/warn", level),
        }


SERVER = (("1", "2Gi"), ("2", "4Gi"))
SIZES = {
    "temporal-frontend": SERVER,
    "temporal-internal-frontend": SERVER,
    "temporal-history": SERVER,
    "temporal-matching": SERVER,
    "temporal-system-worker": SERVER,
    "temporal-web": (("250m", "512Mi"), ("500m", "1Gi")),
    "temporal-worker": (("500m", "1Gi"), ("1", "2Gi")),
    "fastapi-service": (("250m", "512Mi"), ("500m", "1Gi")),
    "webhook-deliverer": (("100m", "256Mi"), ("1", "512Mi")),
    "console": (("100m", "192Mi"), ("500m", "512Mi")),
    "temporal-postgresql": (("1", "4Gi"), ("2", "8Gi")),
    "orders-postgresql": (("1", "4Gi"), ("2", "8Gi")),
    "elasticsearch": (("500m", "2Gi"), ("1", "4Gi")),
}
"""Requests and limits of cpu and memory, per pod, as the design has them."""


@pytest.mark.parametrize("name", ["staging", PRODUCTION])
@pytest.mark.parametrize("owner", SIZES)
def test_pods_have_the_designed_size(name: str, owner: str) -> None:
    resources = _resources(environment(name), owner)
    requests, limits = SIZES[owner]
    assert resources == {
        "requests": dict(zip(("cpu", "memory"), requests, strict=True)),
        "limits": dict(zip(("cpu", "memory"), limits, strict=True)),
    }


def _resources(manifests: tuple[Manifest, ...], owner: str) -> dict[str, Any]:
    (found,) = (
        m
        for m in of_kind(manifests, "Deployment", "Cluster", "Elasticsearch")
        if m["metadata"]["name"] == owner
    )
    spec: dict[str, Any] = found["spec"]
    if found["kind"] == "Elasticsearch":
        spec = spec["nodeSets"][0]["podTemplate"]["spec"]["containers"][0]
    if found["kind"] == "Deployment":
        spec = spec["template"]["spec"]["containers"][0]
    resources: dict[str, Any] = spec["resources"]
    return resources


REPLICAS = {
    "temporal-frontend": 3,
    "temporal-internal-frontend": 2,
    "temporal-history": 3,
    "temporal-matching": 3,
    "temporal-system-worker": 2,
    "temporal-web": 2,
    "temporal-worker": 3,
    "fastapi-service": 2,
    "webhook-deliverer": 2,
    "console": 2,
}


@pytest.mark.parametrize("owner", REPLICAS)
def test_deployments_have_the_designed_replicas(owner: str) -> None:
    deployment = named(environment(PRODUCTION), "Deployment", owner)
    assert deployment["spec"]["replicas"] == REPLICAS[owner]


@pytest.mark.parametrize("name", ["staging", PRODUCTION])
def test_stores_have_the_designed_disks(name: str) -> None:
    made = environment(name)
    for database in ("temporal-postgresql", "orders-postgresql"):
        storage = named(made, "Cluster", database)["spec"]["storage"]
        assert storage == {"size": "100Gi", "storageClass": "fast-ssd"}
    (nodes,) = named(made, "Elasticsearch", "elasticsearch")["spec"]["nodeSets"]
    assert nodes["count"] == 3
    claim = nodes["volumeClaimTemplates"][0]["spec"]
    assert claim["resources"]["requests"]["storage"] == "50Gi"
    assert claim["storageClassName"] == "fast-ssd"


HOSTS = {
    "development": ".dev.example.com",
    "staging": ".staging.example.com",
    "production": ".example.com",
}

SHARED_HOSTS = {
    "gitlab.example.com",
    "jfrog.example.com",
    "s3.example.com",
    "smtp.example.com",
    "vault.example.com",
}
"""One system for every environment, as long as an environment does not say else."""


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_host_is_the_environments_own(name: str) -> None:
    # The blueprints read their hosts from Authentik's own environment.
    text = json.dumps([m for m in environment(name) if not _is_blueprint(m)])
    hosts = (
        set(re.findall(r"(?<![@\w.-])[a-z0-9.-]+\.example\.com", text)) - SHARED_HOSTS
    )
    suffix = HOSTS[name]
    assert {h for h in hosts if h.removesuffix(suffix).count(".")} == set()
    assert hosts >= {f"api{suffix}", f"temporal-api{suffix}", f"temporal-ui{suffix}"}


def _is_blueprint(manifest: Manifest) -> bool:
    return bool(manifest["metadata"]["name"] == "authentik-blueprints")


@pytest.mark.parametrize(
    ("host", "kinds", "backend"),
    [
        ("api", {"Ingress", "HTTPRoute"}, ("fastapi-service", 80)),
        ("console", {"Ingress", "HTTPRoute"}, ("console", 80)),
        ("temporal-ui", {"Ingress", "HTTPRoute"}, ("temporal-web", 8080)),
        ("temporal-api", {"Ingress", "GRPCRoute"}, ("temporal-frontend", 7233)),
    ],
)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_public_host_leads_to_its_service_once(
    name: str, host: str, kinds: set[str], backend: tuple[str, int]
) -> None:
    wanted = host + HOSTS[name]
    routes = [r for r in of_kind(environment(name), *kinds) if wanted in _hosts(r)]
    assert {_backend(route) for route in routes} == {backend}
    paths = [path for route in routes for path in _paths(route)]
    assert "/" in paths
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("name", ["development", "production"])
def test_no_gateway_logs_a_customer_s_link(name: str) -> None:
    """Its address is the right to act on an order."""
    (links,) = (
        ingress
        for ingress in of_kind(environment(name), "Ingress")
        if "/o" in _paths(ingress)
    )
    annotations = links["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/enable-access-log"] == "false"


@pytest.mark.parametrize("name", ["staging"])
def test_no_gateway_s_log_has_addresses(name: str) -> None:
    """Of a Gateway all routes share one log."""
    made = environment(name)
    (gateway,) = (g for g in of_kind(made, "Gateway") if _serves_console(g))
    ref = gateway["spec"]["infrastructure"]["parametersRef"]
    (proxy,) = (p for p in of_kind(made, ref["kind"]) if _is_named(p, ref["name"]))
    logging = proxy["spec"]["logging"]
    variables = set(re.findall(r"\$\w+", logging["accessLog"]["format"]))
    with_addresses = {"$request", "$request_uri", "$uri", "$args", "$http_referer"}
    assert variables - with_addresses == variables != set()
    # What it calls an error quotes the request.
    assert logging["errorLevel"] in ("crit", "alert", "emerg")


def _serves_console(gateway: Manifest) -> bool:
    listeners = gateway["spec"]["listeners"]
    return any(one.get("hostname", "").startswith("console.") for one in listeners)


def _is_named(manifest: Manifest, name: str) -> bool:
    return bool(manifest["metadata"]["name"] == name)


def _paths(route: Manifest) -> list[str]:
    if route["kind"] == "Ingress":
        return [p["path"] for p in route["spec"]["rules"][0]["http"]["paths"]]
    return ["/"]


def _hosts(route: Manifest) -> list[str]:
    spec = route["spec"]
    return spec.get("hostnames") or [r["host"] for r in spec["rules"] if "host" in r]


def _backend(route: Manifest) -> tuple[str, int]:
    (rule,) = route["spec"]["rules"]
    if route["kind"] == "Ingress":
        service = rule["http"]["paths"][0]["backend"]["service"]
        return service["name"], service["port"]["number"]
    (ref,) = rule["backendRefs"]
    return ref["name"], ref["port"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_public_hosts_redirect_to_https(name: str) -> None:
    made = environment(name)
    doors = of_kind(made, "Ingress", "Gateway")
    assert doors
    assert [d["metadata"]["name"] for d in doors if not _redirects(d, made)] == []


def _redirects(door: Manifest, made: Iterable[Manifest]) -> bool:
    """Whether it answers plain HTTP with nothing but the way to HTTPS."""
    if door["kind"] == "Ingress":
        annotations = door["metadata"]["annotations"]
        return bool(
            annotations.get("nginx.ingress.kubernetes.io/ssl-redirect") == "true"
        )
    plain = [
        rule
        for route in of_kind(made, "HTTPRoute")
        if route["metadata"]["namespace"] == door["metadata"]["namespace"]
        # A route that names no listener is on all of them.
        and any(
            p.get("sectionName", "http") == "http" for p in route["spec"]["parentRefs"]
        )
        for rule in route["spec"]["rules"]
    ]
    schemes = [
        [f.get("requestRedirect", {}).get("scheme") for f in rule.get("filters", [])]
        for rule in plain
    ]
    return schemes == [["https"]]


def test_a_gateway_without_the_redirect_is_found() -> None:
    made = environment("staging")
    without = [m for m in made if m["metadata"]["name"] != "redirect-to-https"]
    gateways = of_kind(made, "Gateway")
    assert [_redirects(gateway, without) for gateway in gateways] == [False, False]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_way_in_is_of_the_controllers_class(name: str) -> None:
    made = environment(name)
    classes = [m["spec"]["ingressClassName"] for m in of_kind(made, "Ingress")]
    classes += [m["spec"]["gatewayClassName"] for m in of_kind(made, "Gateway")]
    assert set(classes) == {"nginx"}


def test_grpc_goes_on_in_tls_behind_the_ingress() -> None:
    ingress = named(environment(PRODUCTION), "Ingress", "temporal-api")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "GRPCS"
    assert annotations["nginx.ingress.kubernetes.io/proxy-ssl-verify"] == "on"


def test_production_survives_the_loss_of_a_zone() -> None:
    made = environment(PRODUCTION)
    budgets = {m["metadata"]["name"] for m in of_kind(made, "PodDisruptionBudget")}
    for deployment in of_kind(made, "Deployment"):
        name = deployment["metadata"]["name"]
        if name in ("temporal-admin-tools", "jaeger"):
            continue
        pod = deployment["spec"]["template"]["spec"]
        zones = {c["topologyKey"] for c in pod["topologySpreadConstraints"]}
        assert zones == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert deployment["spec"]["replicas"] >= 2
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert pod["priorityClassName"].startswith("orders-")
        assert name in budgets
    for database in of_kind(made, "Cluster"):
        assert database["spec"]["instances"] == 3
        assert database["spec"]["postgresql"]["synchronous"]["number"] == 1
        affinity = database["spec"]["affinity"]
        assert affinity["topologyKey"] == "topology.kubernetes.io/zone"


def test_autoscaling_never_goes_below_two() -> None:
    made = environment(PRODUCTION)
    api = named(made, "HorizontalPodAutoscaler", "fastapi-service")["spec"]
    worker = named(made, "ScaledObject", "temporal-worker")["spec"]
    assert api["minReplicas"] >= 2
    assert worker["minReplicaCount"] >= 2
    assert worker["cooldownPeriod"] >= 300


@pytest.mark.parametrize("name", ["staging", PRODUCTION])
def test_both_databases_and_the_index_are_backed_up(name: str) -> None:
    made = environment(name)
    scheduled = {m["spec"]["cluster"]["name"] for m in of_kind(made, "ScheduledBackup")}
    assert scheduled == {"temporal-postgresql", "orders-postgresql"}
    for database in of_kind(made, "Cluster"):
        (plugin,) = database["spec"]["plugins"]
        assert plugin["isWALArchiver"]
    paths = [
        m["spec"]["configuration"]["destinationPath"]
        for m in of_kind(made, "ObjectStore")
    ]
    assert len(set(paths)) == 2
    # The plug-in deletes what is older, there and here.
    kept = {m["spec"]["retentionPolicy"] for m in of_kind(made, "ObjectStore")}
    assert kept == {"30d"}
    job = named(made, "Job", "elasticsearch-snapshot-repository")
    assert "argocd.argoproj.io/hook" in job["metadata"]["annotations"]


@pytest.mark.parametrize("name", ["staging", PRODUCTION])
def test_secrets_come_from_vault_by_the_version_that_is_served(name: str) -> None:
    made = environment(name)
    assert of_kind(made, "Password") == []
    for secret in of_kind(made, "ExternalSecret", "SecretStore"):
        assert secret["apiVersion"] == "external-secrets.io/v1"
    # What stands in Git as a Secret is configuration that must be in one.
    assert {
        m["metadata"]["name"].rsplit("-", 1)[0] for m in of_kind(made, "Secret")
    } == {"elasticsearch-roles"}


def test_every_role_at_vault_is_named_like_its_namespace() -> None:
    for store in of_kind(environment(PRODUCTION), "SecretStore"):
        role = store["spec"]["provider"]["vault"]["auth"]["kubernetes"]["role"]
        expected = store["metadata"]["namespace"].replace("logging", "monitoring")
        assert role == expected


@pytest.mark.parametrize("name", ["staging", PRODUCTION])
def test_images_are_pulled_with_the_registrys_secret(name: str) -> None:
    made = environment(name)
    accounts = {
        (m["metadata"]["namespace"], m["metadata"]["name"]): m
        for m in of_kind(made, "ServiceAccount")
    }
    for manifest, template in workloads(made):
        account = accounts[
            manifest["metadata"]["namespace"], template["spec"]["serviceAccountName"]
        ]
        assert account["imagePullSecrets"] == [{"name": "jfrog-pull"}]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_operators_role_reads_secrets_and_writes_none(name: str) -> None:
    role = named(environment(name), "Role", "temporal-operator")
    verbs = {
        resource: set(rule["verbs"])
        for rule in role["rules"]
        for resource in rule["resources"]
    }
    assert verbs["secrets"] == {"get", "list", "watch"}
    assert {"create", "update", "patch", "delete"} <= verbs["deployments"]
    (subject,) = named(environment(name), "RoleBinding", "temporal-operator")[
        "subjects"
    ]
    assert subject["kind"] == "Group"


def test_the_schemas_of_the_server_and_the_tools_are_of_one_version() -> None:
    for name in ENVIRONMENTS:
        versions = {
            container["image"].rsplit(":", 1)[1]
            for _, template in workloads(environment(name))
            for container in template["spec"]["containers"]
            if container["image"]
            .rsplit(":", 1)[0]
            .endswith(("/server", "/admin-tools"))
        }
        assert len(versions) == 1


def test_an_overlay_holds_differences_only() -> None:
    resources = [
        p
        for p in (KUSTOMIZE / "overlays").rglob("*.yaml")
        if p.name not in ("kustomization.yaml", "environment.yaml")
    ]
    assert resources
    assert [p for p in resources if not p.name.startswith("patch-")] == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_namespace_is_bounded(name: str) -> None:
    made = environment(name)
    namespaces = {m["metadata"]["name"] for m in of_kind(made, "Namespace")}
    for kind in ("LimitRange", "ResourceQuota"):
        bounded = {m["metadata"]["namespace"] for m in of_kind(made, kind)}
        assert bounded == namespaces
