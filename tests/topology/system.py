"""The production topology on one machine: what deploy/ ships, on addresses of ours."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml
from devstack.issuer.signer import Signer
from devstack.ports import free_ports
from devstack.products import TOKEN_VARIABLE
from devstack.services import known_callers
from devstack.stack import Options, Stack
from devstack.subprocess import Command, Process
from pydantic import SecretStr
from shared.database.migrations.upgrade import upgrade
from shared.platform.settings import DatabaseSettings

from tests.support.certificates import Authority
from tests.support.postgresql import SecurePostgres, secure_postgres

KUSTOMIZE = Path(__file__).parents[2] / "deploy/kustomize"
BACKEND = KUSTOMIZE / "base/temporal-backend"
PRODUCT = KUSTOMIZE / "base/temporal-product"
CONFIG = BACKEND / "server/config"
SCRIPTS = BACKEND / "schema/scripts"

CERTIFICATES = "/etc/temporal/certs"
DOMAIN = "temporal-backend.svc.cluster.local"
SERVICES = "frontend,internal-frontend,history,matching,worker"
NAMESPACE = "orders"
AUDIENCE = "temporal"
PERMISSIONS = [f"{NAMESPACE}:write"]
_PORTS = (7233, 7243, 6933, 7236, 7246, 6936, 7234, 6934, 7235, 6935, 7239, 6939, 9090)


@dataclass(frozen=True)
class Programs:
    server: str
    sql_tool: str
    temporal: str

    @classmethod
    def find(cls) -> "Programs | None":
        beside = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        names = ("temporal-server", "temporal-sql-tool", "temporal")
        found = [shutil.which(name, path=beside) for name in names]
        return cls(*(str(path) for path in found)) if all(found) else None

    @property
    def path(self) -> str:
        folders = {str(Path(p).parent) for p in (self.sql_tool, self.temporal)}
        return ":".join((*sorted(folders), os.defpath))


@dataclass(frozen=True)
class Production:
    """What runs, and what a product has to reach it."""

    certificates: Path
    ports: dict[int, int]
    signer: Signer
    stack: Stack

    @property
    def frontend(self) -> str:
        return f"localhost:{self.ports[7233]}"

    @property
    def internal_frontend(self) -> str:
        return f"localhost:{self.ports[7236]}"


@asynccontextmanager
async def production(programs: Programs, folder: Path) -> AsyncIterator[Production]:
    """In the order of deploy/: authorities, store, issuer, server, jobs, product."""
    certificates = issue_certificates(folder / "certificates")
    ports = dict(zip(_PORTS, some_ports(), strict=True))
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        store = await enter(secure_postgres(folder / "postgresql", some_ports()[0]))
        shutil.copytree(store.authority.parent, certificates / "postgresql")
        await prepare_store(programs, store, certificates)
        issuer = await enter(Stack(issuer_options(folder / "issuer")))
        server = server_of(programs, folder, ports, store, issuer)
        await server.start()
        opened.push_async_callback(server.stop)
        run_job("ensure-namespace.sh", programs, admin(ports, certificates))
        owner, services = await store.make_orders_database()
        await upgrade(DatabaseSettings(database_url=SecretStr(owner)))
        given = {
            **product_tls(certificates),
            "DATABASE_URL": services,
            "TEMPORAL_HOST": f"localhost:{ports[7233]}",
            **known_callers(issuer.at),
        }
        stack = await enter(Stack(product_options(folder / "product", issuer, given)))
        yield Production(certificates, ports, signer_of(issuer), stack)


def signer_of(issuer: Stack) -> Signer:
    assert issuer.signer is not None
    return issuer.signer


def product_tls(certificates: Path) -> dict[str, str]:
    """As orders.env gives it to worker and API, but for where the file is."""
    shipped = env_file(PRODUCT / "orders.env")
    given = {k: v for k, v in shipped.items() if k.startswith("TEMPORAL_TLS")}
    ca = certificates / "product/ca.crt"
    return given | {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(ca)}


def some_ports() -> list[int]:
    taken = vars(free_ports())
    return list(taken.values())[: len(_PORTS)]


def issue_certificates(folder: Path) -> Path:
    """By the authorities that deploy/ has: the product's is that of the frontend."""
    internode, frontend = Authority("internode-ca"), Authority("frontend-ca")
    internode.issue(f"temporal-internode.{DOMAIN}").write(folder / "internode")
    frontend.issue(f"temporal-frontend.{DOMAIN}").write(folder / "frontend")
    frontend.issue("temporal-client").write(folder / "product")
    return folder


def issuer_options(folder: Path) -> Options:
    return Options(data=folder, ports=free_ports(), parts=("issuer",))


def product_options(folder: Path, issuer: Stack, given: dict[str, str]) -> Options:
    """Worker and API as one client of the issuer, and those who play with them."""
    scopes = "catalogue:write locations:write stock:write orders:read"
    player = signer_of(issuer).token("dev-stack", "orders", scope=scopes)
    client = {
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_OIDC_TOKEN_URL": f"{issuer.at.issuer}token",
        "TEMPORAL_OIDC_CLIENT_ID": "temporal-worker",
        "TEMPORAL_OIDC_CLIENT_SECRET": "temporal-worker-dev",
    }
    return Options(
        data=folder,
        ports=free_ports(),
        parts=("payments", "carrier", "mail", "worker", "api", "products"),
        durable=False,
        environment=given | client | {TOKEN_VARIABLE: player},
    )


async def prepare_store(
    programs: Programs, store: SecurePostgres, certificates: Path
) -> None:
    for name in ("temporal", "temporal_visibility"):
        await store.make_database(name, "temporal", "of-temporal")
    given = env_file(BACKEND / "schema/schema.env") | {
        "SQL_HOST": "localhost",
        "SQL_PORT": str(store.port),
        "SQL_USER": "temporal",
        "SQL_PASSWORD": "of-temporal",
        "SQL_TLS_CA_FILE": str(certificates / "postgresql/ca.crt"),
    }
    run_job("update-schema.sh", programs, given)


def admin(ports: dict[int, int], certificates: Path) -> dict[str, str]:
    """What the jobs and operators are given, who go through internal-frontend."""
    made = yaml.safe_load((BACKEND / "admin-tools/kustomization.yaml").read_text())
    (generator,) = made["configMapGenerator"]
    given = dict(literal.split("=", 1) for literal in generator["literals"])
    moved = {
        name: value.replace(CERTIFICATES, str(certificates))
        for name, value in given.items()
    }
    address = {"TEMPORAL_ADDRESS": f"localhost:{ports[7236]}"}
    return moved | address | env_file(BACKEND / "schema/namespace.env")


def run_job(script: str, programs: Programs, given: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", str(SCRIPTS / script)],
        env=given | {"PATH": programs.path, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def server_of(
    programs: Programs,
    folder: Path,
    ports: dict[int, int],
    store: SecurePostgres,
    issuer: Stack,
) -> Process:
    """All services in one process, from the shipped file."""
    config = folder / "temporal.yaml"
    config.write_text(moved_configuration(ports, folder / "certificates"))
    given = env_file(CONFIG / "server.env")
    given |= env_file(KUSTOMIZE / "components/sso/temporal-backend/server.env")
    given |= {
        "TEMPORAL_SERVER_CONFIG_FILE_PATH": str(config),
        "DYNAMIC_CONFIG_FILE_PATH": str(CONFIG / "dynamic.yaml"),
        "TEMPORAL_SERVICES": SERVICES,
        "POD_IP": "127.0.0.1",
        "SQL_ADDR": f"localhost:{store.port}",
        "SQL_USER": "temporal",
        "SQL_PASSWORD": "of-temporal",
        "JWKS_URI": f"{issuer.at.issuer}keys",
    }
    return Process(
        Command(
            name="temporal-server",
            argv=(programs.server, "start"),
            environment=given,
            log=folder / "temporal-server.log",
            ready=lambda: answers_without_a_token(ports[7243]),
            # As in a cluster, where it drains for up to 15 s first.
            stop_seconds=30,
            start_seconds=120,
        )
    )


def moved_configuration(ports: dict[int, int], certificates: Path) -> str:
    """The shipped file on other ports and with files in another place; no more."""
    text = (CONFIG / "temporal.yaml").read_text()
    text = text.replace(CERTIFICATES, str(certificates))
    text = text.replace("0.0.0.0", "127.0.0.1")
    return re.sub(
        r"\b(\d{4})$",
        lambda found: str(ports.get(int(found[1]), found[1])),
        text,
        flags=re.MULTILINE,
    )


async def answers_without_a_token(port: int) -> bool:
    """As the readiness probe asks, who does not verify either."""
    async with httpx2.AsyncClient(verify=False, trust_env=False) as http:
        try:
            answer = await http.get(f"https://localhost:{port}/api/v1/system-info")
        except httpx2.TransportError:
            return False
    return answer.status_code == 200


def env_file(path: Path) -> dict[str, str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and line[0] != "#")
