"""The Temporal server's own configuration says what its pods need."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.cluster import cluster
from tests.deploy.rendering import (
    ENVIRONMENTS,
    KUSTOMIZE,
    Manifest,
    environment,
    named,
    of_kind,
    workloads,
)
from tests.deploy.settings import environment_of

SERVICES = {
    "temporal-frontend": "frontend",
    "temporal-internal-frontend": "internal-frontend",
    "temporal-history": "history",
    "temporal-matching": "matching",
    "temporal-system-worker": "worker",
}

HOW_TO = "docs/how-to/production-topology.md"

DYNAMIC = KUSTOMIZE / "base/temporal-backend/server/config/dynamic.yaml"

VALUES = {
    "POD_IP": "10.1.2.3",
    "SQL_USER": "temporal",
    "SQL_PASSWORD": "secret",
    "ES_USER": "temporal",
    "ES_PWD": "secret",
}
"""Stand-ins for what comes from Secrets and from the pod itself."""


@pytest.fixture(params=ENVIRONMENTS)
def made(request: pytest.FixtureRequest) -> tuple[Manifest, ...]:
    return environment(request.param)


def template() -> str:
    folder = KUSTOMIZE / "base/temporal-backend/server/config"
    return (folder / "temporal.yaml").read_text()


def rendered(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    """The file as the server would read it; knows the few constructs that it uses."""
    given = environment_of(cluster(manifests), "temporal-frontend")
    values = {k: VALUES.get(k, v or "") for k, v in given.items()}
    lines: list[str] = []
    open_blocks: list[bool] = []
    for line in template().splitlines():
        if condition := re.search(
            r"{{- if (eq|ne) \(env \"(\w+)\"\) \"(\w+)\" }}", line
        ):
            operator, name, value = condition.groups()
            open_blocks.append((values[name] == value) == (operator == "eq"))
        elif "{{- end }}" in line:
            open_blocks.pop()
        elif all(open_blocks):
            lines.append(
                re.sub(
                    r"{{ env \"(\w+)\"[^}]*}}",
                    lambda found: f'"{values[found[1]]}"',
                    line,
                )
            )
    loaded: dict[str, Any] = yaml.safe_load("\n".join(lines))
    return loaded


def test_each_pod_opens_the_ports_of_its_service(made: tuple[Manifest, ...]) -> None:
    services = rendered(made)["services"]
    for name, service in SERVICES.items():
        pod = named(made, "Deployment", name)["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        opened = {p["name"]: p["containerPort"] for p in container["ports"]}
        assert {"name": "TEMPORAL_SERVICES", "value": service} in container["env"]
        rpc = services[service]["rpc"]
        assert opened["grpc"] == rpc["grpcPort"]
        assert opened["membership"] == rpc["membershipPort"]
        assert opened.get("http") == rpc.get("httpPort")
        assert rpc["bindOnIP"] == "0.0.0.0"


def test_every_file_that_the_server_reads_is_mounted(
    made: tuple[Manifest, ...],
) -> None:
    pod = named(made, "Deployment", "temporal-frontend")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    files = set()
    for mount in container["volumeMounts"]:
        assert "subPath" not in mount, "would never show a renewed certificate"
        secret = volumes[mount["name"]].get("secret", {})
        names = [i["path"] for i in secret.get("items", [])] or ["tls.crt", "tls.key"]
        files |= {f"{mount['mountPath']}/{n}" for n in [*names, "ca.crt"]}
    text = yaml.safe_dump(rendered(made))
    assert set(re.findall(r"/etc/temporal/certs/\S+", text)) <= files


def test_the_store_is_as_designed(made: tuple[Manifest, ...]) -> None:
    persistence = rendered(made)["persistence"]
    assert persistence["numHistoryShards"] == 512
    for store, database in (
        ("default", "temporal"),
        ("visibility", "temporal_visibility"),
    ):
        sql = persistence["datastores"][store]["sql"]
        assert sql["pluginName"] == "postgres12_pgx"
        assert sql["databaseName"] == database
        assert (sql["maxConns"], sql["maxIdleConns"]) == (20, 20)
        assert sql["maxConnLifetime"] == "1h"
        assert sql["tls"]["enableHostVerification"] is True


def test_both_databases_are_made_for_the_servers_role(
    made: tuple[Manifest, ...],
) -> None:
    database = named(made, "Cluster", "temporal-postgresql")["spec"]
    initial = database["bootstrap"]["initdb"]
    visibility = named(made, "Database", "temporal-visibility")["spec"]
    assert (initial["database"], visibility["name"]) == (
        "temporal",
        "temporal_visibility",
    )
    assert initial["owner"] == visibility["owner"]


def test_certificates_carry_the_names_that_are_asked_for(
    made: tuple[Manifest, ...],
) -> None:
    tls = rendered(made)["global"]["tls"]
    names = {
        m["metadata"]["name"]: m["spec"].get("dnsNames", [])
        for m in of_kind(made, "Certificate")
    }
    assert tls["internode"]["client"]["serverName"] in names["temporal-internode-tls"]
    assert tls["frontend"]["client"]["serverName"] in names["temporal-server-tls"]
    store = rendered(made)["persistence"]["datastores"]["default"]["sql"]
    host = store["connectAddr"].split(":")[0]
    assert host in names["temporal-postgresql-tls"]
    for client in ("temporal-worker", "fastapi-service"):
        given = environment_of(cluster(made), client)
        host = str(given["TEMPORAL_HOST"]).split(":")[0]
        assert given["TEMPORAL_TLS_SERVER_NAME"] == host
        assert host in names["temporal-server-tls"]


@pytest.mark.parametrize("name", ["staging", "production"])
def test_public_authorities_are_asked_for_public_names_only(name: str) -> None:
    """Development has an authority of its own."""
    asked = [
        host
        for certificate in of_kind(environment(name), "Certificate")
        if certificate["spec"]["issuerRef"]["name"] == "letsencrypt-prod"
        for host in certificate["spec"]["dnsNames"]
    ]
    assert len(asked) == 4
    assert [host for host in asked if ".svc" in host] == []


def test_the_internode_authority_signs_for_the_server_alone(
    made: tuple[Manifest, ...],
) -> None:
    signed = [
        m["metadata"]["name"]
        for m in of_kind(made, "Certificate")
        if m["spec"]["issuerRef"]["name"] == "temporal-internode-ca"
    ]
    assert signed == ["temporal-internode-tls"]


@pytest.mark.parametrize("name", ["staging", "production"])
def test_calls_need_a_token_of_ours(name: str) -> None:
    authorization = rendered(environment(name))["global"]["authorization"]
    provider = authorization["jwtKeyProvider"]
    (uri,) = provider["keySourceURIs"]
    assert re.fullmatch(r"https://authentik\.\S*/application/o/temporal/jwks/", uri)
    assert provider["refreshInterval"] == "1m"
    assert authorization["permissionsClaimName"] == "permissions"
    assert authorization["authorizer"] == authorization["claimMapper"] == "default"
    assert authorization["audience"] == "temporal"


def test_authorization_is_off_only_where_it_is_said_so() -> None:
    given = environment_of(cluster(environment("development")), "temporal-frontend")
    assert given["TEMPORAL_AUTHORIZATION"] == "disabled"
    assert "authorization" not in rendered(environment("development"))["global"]


@pytest.mark.parametrize("name", ["staging", "production"])
def test_people_sign_in_to_the_ui(name: str) -> None:
    web = environment_of(cluster(environment(name)), "temporal-web")
    assert web["TEMPORAL_AUTH_ENABLED"] == "true"
    assert web["TEMPORAL_TLS_ENABLE_HOST_VERIFICATION"] == "true"
    assert str(web["TEMPORAL_AUTH_CALLBACK_URL"]).endswith("/auth/sso/callback")
    assert web.keys() >= {"TEMPORAL_AUTH_CLIENT_ID", "TEMPORAL_AUTH_CLIENT_SECRET"}


@pytest.mark.parametrize("name", ["staging", "production"])
def test_visibility_is_in_the_index_that_the_job_makes(name: str) -> None:
    persistence = rendered(environment(name))["persistence"]
    assert persistence["visibilityStore"] == "elasticsearch"
    store = persistence["datastores"]["elasticsearch"]["elasticsearch"]
    job = environment_of(cluster(environment(name)), "elasticsearch-index")
    assert store["indices"]["visibility"] == job["ES_VISIBILITY_INDEX"]
    assert store["indices"]["visibility"] == "temporal_visibility_v1_prod"


def test_metrics_are_where_the_monitor_looks(made: tuple[Manifest, ...]) -> None:
    metrics = rendered(made)["global"]["metrics"]["prometheus"]
    assert metrics["framework"] == "opentelemetry"
    for name in SERVICES:
        pod = named(made, "Deployment", name)["spec"]["template"]["spec"]
        ports = {p["name"]: p["containerPort"] for p in pod["containers"][0]["ports"]}
        assert metrics["listenAddress"] == f"0.0.0.0:{ports['metrics']}"


@pytest.mark.parametrize("name", [*SERVICES, "temporal-web", "jaeger"])
def test_go_collects_its_garbage_before_a_pod_reaches_its_limit(
    made: tuple[Manifest, ...], name: str
) -> None:
    pod = named(made, "Deployment", name)["spec"]["template"]["spec"]
    limit = pod["containers"][0]["resources"]["limits"]["memory"]
    mebibytes = int(limit.removesuffix("Gi")) * 1024
    told = str(environment_of(cluster(made), name)["GOMEMLIMIT"])
    assert 0.85 < int(told.removesuffix("MiB")) / mebibytes < 0.95


def test_nothing_of_the_server_calls_home(made: tuple[Manifest, ...]) -> None:
    for manifest, _ in workloads(made):
        name = manifest["metadata"]["name"]
        if name in SERVICES:
            given = environment_of(cluster(made), name)
            assert given["TEMPORAL_VERSION_CHECK_DISABLED"] == "1"
    web = environment_of(cluster(made), "temporal-web")
    assert web["TEMPORAL_DISABLE_NEWS_FETCH"] == "true"


def _keys(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {k for n, v in value.items() for k in _keys(v, f"{path}/{n}".lower())}
    return {path}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_real_server_keeps_every_key(name: str, tmp_path: Path) -> None:
    """Unknown keys are ignored silently, so the server's own reading is compared."""
    server = shutil.which("temporal-server")
    if server is None:
        pytest.skip(
            "temporal-server is not installed: docs/how-to/production-topology.md"
        )
    made = environment(name)
    given = environment_of(cluster(made), "temporal-frontend")
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "base.yaml").write_text(template())
    # `render-config` looks for config/base.yaml and heeds no option.
    done = subprocess.run(
        [server, "render-config"],
        cwd=tmp_path,
        env={k: VALUES.get(k, v or "") for k, v in given.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept = _keys(yaml.safe_load(done.stdout))
    assert sorted(_keys(rendered(made)) - kept) == []


def test_a_pod_has_the_time_to_drain_and_uses_it(made: tuple[Manifest, ...]) -> None:
    """A frontend that takes no connection at once is still sent some by its Service."""
    seconds = {
        key: int(value[0]["value"].removesuffix("s"))
        for key, value in yaml.safe_load(DYNAMIC.read_text()).items()
        if ".shutdown" in key
    }
    assert seconds["frontend.shutdownFailHealthCheckDuration"] >= 5
    for service in ("frontend", "history", "matching"):
        given = sum(s for key, s in seconds.items() if key.startswith(f"{service}."))
        pod = named(made, "Deployment", f"temporal-{service}")["spec"]["template"]
        assert 5 <= given <= pod["spec"]["terminationGracePeriodSeconds"] - 5


def test_the_real_server_knows_every_dynamic_key() -> None:
    server = shutil.which("temporal-server")
    if server is None:
        pytest.skip(
            "temporal-server is not installed: docs/how-to/production-topology.md"
        )
    done = subprocess.run(
        [server, "validate-dynamic-config", str(DYNAMIC)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "warning" not in done.stdout + done.stderr
