"""Older code runs on the newer schema: expand first, contract a release later."""

from types import ModuleType

import pytest
from alembic import op
from alembic.script import ScriptDirectory
from shared.database import revision
from shared.database.migrations.upgrade import alembic_config
from sqlalchemy import Column, Text

from tests.platform.migrations import contracting, objections, releases

SCRIPTS = ScriptDirectory.from_config(alembic_config())
MIGRATIONS = [script.module for script in SCRIPTS.walk_revisions()]


def test_the_files_names_tell_the_revisions() -> None:
    ordered = [migration.revision for migration in reversed(MIGRATIONS)]
    assert tuple(ordered) == revision.KNOWN
    assert SCRIPTS.get_current_head() == revision.HEAD


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda m: str(m.revision))
def test_a_migration_takes_nothing_away_that_is_used(migration: ModuleType) -> None:
    assert list(objections(migration, releases())) == []


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE orders DROP COLUMN reason",
        "ALTER TABLE orders RENAME COLUMN reason TO cause",
        "ALTER TABLE orders RENAME TO purchases",
        "ALTER TABLE orders ALTER COLUMN total TYPE text",
        "ALTER TABLE orders ALTER COLUMN reason SET NOT NULL",
        "ALTER TABLE orders ALTER COLUMN version DROP DEFAULT",
        "ALTER TABLE orders ADD COLUMN channel text NOT NULL",
        "ALTER TABLE orders ADD CONSTRAINT one_each UNIQUE (customer)",
        "DROP TABLE holds",
        "DROP VIEW audit_money",
        "THIS IS NO SQL",
    ],
)
def test_what_older_code_trips_over_is_found(statement: str) -> None:
    assert contracting(f"{statement};")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE orders ADD COLUMN channel text",
        "ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'shop'",
        "CREATE TABLE suppliers (id text PRIMARY KEY)",
        "CREATE INDEX by_channel ON orders (customer)",
        "CREATE OR REPLACE VIEW audit_money AS SELECT 1",
        "UPDATE orders SET reason = 'x' WHERE reason = 'y'",
    ],
)
def test_what_it_does_not_notice_is_free(statement: str) -> None:
    assert contracting(f"{statement};") == []


def a_migration(**marker: str) -> ModuleType:
    migration = ModuleType("migration")
    vars(migration).update(marker, upgrade=lambda: op.drop_column("orders", "reason"))
    return migration


def test_alembics_own_operations_are_seen() -> None:
    (found,) = objections(a_migration(), ())
    assert found == "ban-drop-column: ALTER TABLE orders DROP COLUMN reason;"


def test_what_an_earlier_release_stopped_using_may_go() -> None:
    migration = a_migration(unused_since="v1.2.0")
    assert list(objections(migration, {"v1.2.0"})) == []


def test_a_release_that_never_was_stopped_nothing() -> None:
    migration = a_migration(unused_since="v9.9.9")
    assert list(objections(migration, {"v1.2.0"})) == [
        "unused_since = 'v9.9.9' is no release"
    ]


def test_a_column_with_a_default_is_an_expansion() -> None:
    migration = ModuleType("migration")
    column = Column("channel", Text, server_default="shop", nullable=False)
    vars(migration).update(upgrade=lambda: op.add_column("orders", column))
    assert list(objections(migration, ())) == []
