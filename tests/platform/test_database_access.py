"""PostgreSQL as deploy/ has it: TLS alone, and a role for services without DDL."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from devstack.ports import free_ports
from pydantic import SecretStr
from shared.database.engine import Engine, create_engine
from shared.database.migrations.upgrade import upgrade
from shared.database.revision import HEAD, database_revision
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text

from tests.support.certificates import Authority
from tests.support.postgresql import (
    SecurePostgres,
    cluster,
    secure_postgres,
    with_tls,
)


@dataclass(frozen=True)
class Store:
    """The orders' database, migrated by its owner."""

    server: SecurePostgres
    owner: str
    services: str


needs_tls = pytest.mark.skipif(
    with_tls() is None, reason="no PostgreSQL with TLS (apt-get install postgresql)"
)


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    folder = tmp_path_factory.mktemp("secure") / "postgresql"
    async with secure_postgres(folder, free_ports().postgres) as server:
        owner, services = await server.make_orders_database()
        await upgrade(DatabaseSettings(database_url=SecretStr(owner)))
        yield Store(server, owner, services)


@pytest.fixture
async def as_services(store: Store) -> "AsyncIterator[asyncpg.Connection]":
    connection = await asyncpg.connect(store.services)
    yield connection
    await connection.close()


@pytest.fixture
async def as_owner(store: Store) -> "AsyncIterator[asyncpg.Connection]":
    connection = await asyncpg.connect(store.owner)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION pgcrypto",
        "CREATE ROLE mine",
        "CREATE INDEX ON orders (id)",
        "ALTER TABLE orders ADD COLUMN mine int",
        "ALTER TABLE orders DISABLE TRIGGER ALL",
        "CREATE TRIGGER mine BEFORE UPDATE ON orders EXECUTE FUNCTION"
        " suppress_redundant_updates_trigger()",
        "DROP TABLE orders",
        "TRUNCATE orders CASCADE",
        "SET ROLE orders_owner",
    ],
)
async def test_services_change_no_schema(
    as_services: "asyncpg.Connection", statement: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await as_services.execute(statement)


async def test_services_read_and_write_every_table(
    as_services: "asyncpg.Connection",
) -> None:
    lacking = await as_services.fetch(
        """SELECT relname, privilege FROM pg_class,
             unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
           WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
             AND NOT has_table_privilege(pg_class.oid, privilege)"""
    )
    assert [tuple(row) for row in lacking] == []
    # Readiness and the audit look at these.
    await as_services.fetch("SELECT * FROM alembic_version")
    await as_services.fetch("SELECT * FROM audit_money")


async def test_services_may_use_what_a_later_migration_makes(
    as_owner: "asyncpg.Connection", as_services: "asyncpg.Connection"
) -> None:
    await as_owner.execute("CREATE TABLE later (id int GENERATED ALWAYS AS IDENTITY)")
    await as_services.execute("INSERT INTO later DEFAULT VALUES")


@needs_tls
async def test_nobody_is_let_in_without_tls(store: Store) -> None:
    plain = store.services.partition("?")[0]
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(plain, ssl=False)


@needs_tls
async def test_a_server_of_another_authority_is_not_believed(
    store: Store, tmp_path: Path
) -> None:
    stranger = tmp_path / "ca.crt"
    stranger.write_bytes(Authority("stranger").certificate)
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await reach(store.services.replace(str(store.server.authority), str(stranger)))


@needs_tls
async def test_a_server_of_another_name_is_not_believed(store: Store) -> None:
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await reach(store.services.replace("@localhost", "@127.0.0.1"))


async def reach(url: str) -> str | None:
    engine = engine_of(url)
    try:
        return await database_revision(engine)
    finally:
        await engine.dispose()


def engine_of(url: str, password_file: Path | None = None) -> Engine:
    settings = DatabaseSettings(
        database_url=SecretStr(url), database_password_file=password_file
    )
    return create_engine(settings, application="test")


@pytest.fixture
def rotate(tmp_path: Path) -> Callable[[str], Path]:
    """Puts another password into the file."""

    def write(password: str) -> Path:
        path = tmp_path / "password"
        path.write_text(f"{password}\n")
        return path

    return write


async def test_a_rotated_password_needs_no_restart(
    store: Store, rotate: Callable[[str], Path]
) -> None:
    (role,) = cluster()["managed"]["roles"]
    # The one in the URL is that of the first day, as in the Secret of a running pod.
    engine = engine_of(store.services, rotate("of-the-services"))
    try:
        assert await database_revision(engine) == HEAD
        await store.server.set_password(role["name"], "rotated")
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 'an open one lives on'"))
        rotate("rotated")
        await store.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE usename = '{role['name']}'"
        )
        await engine.dispose()
        assert await database_revision(engine) == HEAD
    finally:
        await engine.dispose()
        await store.server.set_password(role["name"], "of-the-services")
