"""The tables as the code knows them and as the migrations make them."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from asyncpg import IntegrityConstraintViolationError
from pydantic import SecretStr
from shared.database.engine import Engine, create_engine
from shared.database.kernel.tables import Base
from shared.database.migrations.upgrade import alembics_engine, upgrade
from shared.database.orders import tables as _tables  # noqa: F401 - fills the metadata
from shared.database.revision import HEAD, database_revision
from shared.platform.settings import DatabaseSettings
from sqlalchemy import CheckConstraint, Column, Connection, MetaData, Table, Text, text


def _differences(connection: Connection, metadata: MetaData) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def differences(database: str, metadata: MetaData) -> list[Any]:
    settings = DatabaseSettings(database_url=SecretStr(database))
    engine = alembics_engine(settings)
    async with engine.connect() as connection:
        found = await connection.run_sync(_differences, metadata)
    await engine.dispose()
    return found


async def test_the_tables_are_what_the_migrations_make(database: str) -> None:
    assert await differences(database, Base.metadata) == []


async def test_a_table_that_no_migration_makes_is_found(database: str) -> None:
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.tables.values():
        table.to_metadata(metadata)
    Table("forgotten", metadata, Column("id", Text, primary_key=True))
    found = await differences(database, metadata)
    assert [difference[0] for difference in found] == ["add_table"]


async def test_checks_are_what_the_migrations_make(engine: Engine) -> None:
    """Alembic does not compare them."""
    known = {
        f"{table.name}.{constraint.name}"
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT conrelid::regclass || '.' || conname FROM pg_constraint"
                " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
            )
        )
        assert {row[0] for row in rows} == known


async def test_migrating_again_changes_nothing(database: str, engine: Engine) -> None:
    await upgrade(DatabaseSettings(database_url=SecretStr(database)))
    assert await database_revision(engine) == HEAD


async def test_an_empty_database_has_no_revision(database: str) -> None:
    settings = DatabaseSettings(database_url=SecretStr(database))
    engine = create_engine(settings, application="test")
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    assert await database_revision(engine) is None
    await engine.dispose()


@pytest.mark.parametrize(
    "impossible",
    [
        # S1: more is promised than is there.
        "INSERT INTO stock (sku, location, on_hand, reserved) VALUES ('A', 'b', 1, 2)",
        "INSERT INTO stock (sku, location, on_hand) VALUES ('A', 'b', -1)",
        # M2: more is taken, or given back, than there was.
        "INSERT INTO payments (id, order_id, provider, method_ref, captured)"
        " VALUES ('p', 'o', 'stripe', 'card', 1)",
        "INSERT INTO payments (id, order_id, provider, method_ref, authorized,"
        " captured, refunding) VALUES ('p', 'o', 'stripe', 'card', 5, 5, 6)",
        # M4: no money, no label.
        "INSERT INTO shipments (id, order_id, location, status, label_ref)"
        " VALUES ('s', 'o', 'b', 'ready', 'l')",
        "INSERT INTO shipments (id, order_id, location, status, amount)"
        " VALUES ('s', 'o', 'b', 'packed', 5)",
        # Q: more is on its way than was ordered.
        "INSERT INTO order_lines (order_id, line, sku, name, qty, total, shipped)"
        " VALUES ('o', 1, 'A', 'a', 1, 5, 1)",
        "INSERT INTO order_lines (order_id, line, sku, name, qty, total, cancelled,"
        " reserved) VALUES ('o', 1, 'A', 'a', 1, 5, 1, 1)",
        # A cancelled order says why.
        "UPDATE orders SET status = 'cancelled'",
    ],
)
async def test_what_must_not_be_cannot_be_stored(
    engine: Engine, impossible: str
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(_AN_ORDER))
        await connection.execute(text(_A_PRODUCT))
    with pytest.raises(IntegrityConstraintViolationError, match="check constraint"):
        async with engine.begin() as connection:
            await connection.execute(text(impossible))


_AN_ORDER = """
    INSERT INTO orders (id, customer, status, currency, shipping_method, total)
    VALUES ('o', 'c', 'placed', 'EUR', 'standard', 5)
"""
_A_PRODUCT = (
    "INSERT INTO products (sku, name, price, currency) VALUES ('A', 'a', 5, 'EUR')"
)
