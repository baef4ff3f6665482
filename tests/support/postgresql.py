"""A PostgreSQL of one's own that speaks TLS alone, with the roles of deploy/.

The wheel's was built without TLS. Where another one is installed, that is taken.
"""

import dataclasses
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import yaml
from devstack.postgres import postgres
from devstack.subprocess import Process

from tests.support.certificates import Authority

CLUSTER = (
    Path(__file__).parents[2]
    / "deploy/kustomize/base/temporal-product/database/cluster.yaml"
)
SUPERUSER = "postgres"
HOST = "localhost"


@dataclass(frozen=True)
class SecurePostgres:
    port: int
    authority: Path
    """PEM file of who signed its certificate."""
    tls: bool

    def url(self, role: str, password: str, database: str) -> str:
        verified = f"?sslmode=verify-full&sslrootcert={self.authority}"
        way = verified if self.tls else ""
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{database}{way}"

    async def execute(self, *statements: str, database: str = SUPERUSER) -> None:
        """As the superuser, who has no password and no way in but TLS."""
        connection = await asyncpg.connect(self.url(SUPERUSER, "", database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def make_database(self, name: str, owner: str, password: str) -> str:
        """A database that belongs to a role with a password; its URL for that role."""
        await self.execute(
            f"DO $$ BEGIN CREATE ROLE {owner} LOGIN PASSWORD '{password}';"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"CREATE DATABASE {name} OWNER {owner}",
        )
        return self.url(owner, password, name)

    async def make_orders_database(self) -> tuple[str, str]:
        """As CloudNativePG makes it: the URLs of the owner and of the services."""
        initdb = cluster()["bootstrap"]["initdb"]
        name, owner = initdb["database"], initdb["owner"]
        owners = await self.make_database(name, owner, "of-the-owner")
        await self.execute(*initdb["postInitApplicationSQL"], database=name)
        (role,) = cluster()["managed"]["roles"]
        await self.set_password(role["name"], "of-the-services")
        return owners, self.url(role["name"], "of-the-services", name)

    async def set_password(self, role: str, password: str) -> None:
        await self.execute(f"ALTER ROLE {role} PASSWORD '{password}'")


def cluster() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load(CLUSTER.read_text())["spec"]
    return spec


def with_tls() -> Path | None:
    """The folder of an installed PostgreSQL that can speak TLS."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@asynccontextmanager
async def secure_postgres(folder: Path, port: int) -> AsyncIterator[SecurePostgres]:
    """Reached by its name, as its certificate has no address in it."""
    certificates = folder / "certificates"
    Authority("postgresql").issue(HOST).write(certificates)
    binaries = with_tls()
    server = SecurePostgres(port, certificates / "ca.crt", tls=binaries is not None)
    command = postgres(
        *(folder / "data", port, folder / "log"), durable=False, binaries=binaries
    )

    async def prepare() -> None:
        assert command.prepare is not None
        await command.prepare()
        _let_in(folder / "data", server)

    async def ready() -> bool:
        try:
            await server.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    process = Process(
        dataclasses.replace(
            command,
            argv=(*command.argv, *(_tls(folder / "data") if server.tls else ())),
            prepare=prepare,
            ready=ready,
        )
    )
    await process.start()
    try:
        yield server
    finally:
        await process.stop()


def _tls(data: Path) -> Sequence[str]:
    files = {"ssl_cert_file": "tls.crt", "ssl_key_file": "tls.key"}
    settings = {"ssl": "on"} | {k: str(data / v) for k, v in files.items()}
    return [part for item in settings.items() for part in ("-c", "=".join(item))]


def _let_in(data: Path, server: SecurePostgres) -> None:
    # What CloudNativePG is told, and a way in for the test itself.
    rules = [f"hostssl all {SUPERUSER} all trust", *cluster()["postgresql"]["pg_hba"]]
    if not server.tls:
        rules = [r.replace("hostssl", "host") for r in rules if "hostnossl" not in r]
    (data / "pg_hba.conf").write_text("\n".join(rules) + "\n")
    for name in ("tls.crt", "tls.key"):
        shutil.copy(server.authority.with_name(name), data / name)
        (data / name).chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(data / name, data.owner())
