"""What only the pods themselves can say: schemas, Temporal, Prometheus, an order."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from scripts.kubectl import Object, items, kubectl


@dataclass(frozen=True)
class Finding:
    what: str
    wrong: bool
    todo: str


SCHEMAS = {"temporal": "1.19", "temporal_visibility": "1.14"}
CANCELLATION = {"reason": "probe"}
FRONTEND = "temporal-frontend.temporal-backend.svc.cluster.local"


def findings() -> Iterator[Finding]:
    yield from _schemas()
    yield from _temporal()
    yield from _prometheus()


def _in(namespace: str, pod: str, *command: str) -> str | None:
    """What a command prints in a pod; None where it fails."""
    done = kubectl("exec", "--namespace", namespace, *pod.split(), "--", *command)
    return done.stdout if done.returncode == 0 else None


def _temporal_cli(*words: str) -> str | None:
    return _in(
        "temporal-backend",
        "deploy/temporal-admin-tools",
        "temporal",
        "operator",
        *words,
    )


def _logs(workload: str, namespace: str) -> str:
    return f"kubectl logs {workload} --namespace {namespace}"


def _schemas() -> Iterator[Finding]:
    wanted = "clusters.postgresql.cnpg.io/temporal-postgresql"
    (database,) = items(wanted, "--namespace", "temporal-backend")
    primary = database.get("status", {}).get("currentPrimary", "temporal-postgresql-1")
    for name, version in SCHEMAS.items():
        query = "select curr_version from schema_version"
        command = ("psql", "-d", name, "-Atc", query)
        said = _in("temporal-backend", f"{primary} --container postgres", *command)
        found = (said or "").strip()
        todo = _logs("job/temporal-schema-update", "temporal-backend")
        wrong = found != version
        yield Finding(f"database {name} has schema {found or '?'}", wrong, todo)


def _temporal() -> Iterator[Finding]:
    todo = _logs("deploy/temporal-internal-frontend", "temporal-backend")
    yield _answers("internal-frontend serves", todo, "cluster", "health")
    yield _answers(
        "the frontend's certificate is of its own authority",
        "docs/how-to/rotate-secrets.md",
        *("cluster", "health", "--address", f"{FRONTEND}:7233"),
        *("--tls-server-name", FRONTEND),
        *("--tls-ca-path", "/etc/temporal/certs/frontend/ca.crt"),
    )
    todo = _logs("job/temporal-namespace", "temporal-backend")
    describe = ("namespace", "describe", "--namespace", "orders")
    yield _answers("Temporal's namespace orders exists", todo, *describe)
    listing = ("search-attribute", "list", "--namespace", "orders", "--output", "json")
    attributes = _temporal_cli(*listing) or ""
    for name in ("OrderId", "Waiting"):
        there = f'"{name}"' in attributes
        yield Finding(f"search attribute {name} is registered", not there, todo)
    for queue in ("orders", "payments", "carriers"):
        yield _polled(queue)


def _answers(what: str, todo: str, *words: str) -> Finding:
    return Finding(what, _temporal_cli(*words) is None, todo)


def _polled(queue: str) -> Finding:
    said = _in(
        "temporal-backend",
        "deploy/temporal-admin-tools",
        *("temporal", "task-queue", "describe", "--namespace", "orders"),
        *("--task-queue", queue, "--output", "json"),
    )
    todo = _logs("deploy/temporal-worker", "temporal-product")
    return Finding(
        f"task queue {queue} has a worker", "identity" not in (said or ""), todo
    )


def _prometheus() -> Iterator[Finding]:
    rules = _query('prometheus_rule_group_rules{rule_group=~".*temporal.rules"}')
    todo = "kubectl describe prometheusrule temporal --namespace monitoring"
    yield Finding("Prometheus has the alert rules", not rules, todo)
    for job in ("temporal-server", "temporal-worker", "fastapi-service"):
        up = _query(f'min(up{{job="{job}"}}) == 1')
        todo = f"kubectl describe podmonitor {job} --namespace monitoring"
        yield Finding(f"Prometheus reaches every {job}", not up, todo)


def _query(query: str) -> str:
    pod = "prometheus-kube-prometheus-stack-prometheus-0 --container prometheus"
    command = ("promtool", "query", "instant", "http://localhost:9090", query)
    return (_in("monitoring", pod, *command) or "").strip()


# ── an order ────────────────────────────────────────────────────────────────────────


def order(sku: str) -> Iterator[Finding]:
    """Place one order for one SKU and cancel it: one a day, however often it is run."""
    todo = _logs("deploy/fastapi-service", "temporal-product")
    key = f"validate-{datetime.now(UTC):%Y-%m-%d}"
    try:
        price = _call("GET", f"/v1/products/{sku}")["price"]
        placed = _call("POST", "/v1/orders", new_order(sku, price), key)["id"]
        yield Finding(f"order {placed} was taken", False, todo)
        todo = _logs("deploy/temporal-worker", "temporal-product")
        path = f"/v1/orders/{placed}/cancellations"
        _call("POST", path, CANCELLATION, f"{key}-cancel")
        yield Finding(f"order {placed} was cancelled", False, todo)
    except (OSError, KeyError, ValueError) as error:
        yield Finding(f"an order for {sku}: {error}", True, todo)


def _call(method: str, path: str, body: Object | None = None, key: str = "") -> Object:
    headers = {"Authorization": f"Bearer {os.environ['ORDERS_TOKEN']}"}
    headers |= {"Content-Type": "application/json"} | (
        {"Idempotency-Key": key} if key else {}
    )
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(_base() + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        said: Object = json.loads(answer.read() or "{}")
    return said


def _base() -> str:
    """Where the API says that it is found; ORDERS_URL where that is not reached."""
    selector = "app.kubernetes.io/name=fastapi-service"
    found = items(
        "configmaps", "--namespace=temporal-product", f"--selector={selector}"
    )
    url: str = os.environ.get("ORDERS_URL") or found[0]["data"]["PUBLIC_URL"]
    return url


def new_order(sku: str, price: Object) -> Object:
    currency = price["currency"]
    return {
        "customer_id": "validate",
        "currency": currency,
        "lines": [{"sku": sku, "quantity": 1}],
        "shipping": {"method": "standard"},
        "contact": {"email": "validate@example.com", "name": "Validate"},
        "payment": {"method": "pm_card_visa"},
        "ship_to": {
            "name": "Validate",
            "street": "1 Example Street",
            "city": "Berlin",
            "postal_code": "10115",
            "country": "DE",
        },
    }
