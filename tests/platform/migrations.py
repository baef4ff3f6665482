"""What a migration would run, and what of that the release before may not survive."""

import json
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType

from alembic.migration import MigrationContext
from alembic.operations import Operations

CONTRACTING = {
    "adding-not-nullable-field",
    "adding-required-field",
    "ban-drop-column",
    "ban-drop-default",
    "ban-drop-table",
    "ban-drop-view",
    "changing-column-type",
    "disallowed-unique-constraint",
    "renaming-column",
    "renaming-table",
}
"""Squawk's names of what older code may trip over. Its other rules are about locks."""
MARKER = "unused_since"


def sql_of(migration: ModuleType) -> str:
    """What a migration runs, without running it."""
    written = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    with Operations.context(context):
        migration.upgrade()
    return written.getvalue()


def contracting(sql: str) -> list[str]:
    """The contracting statements of a migration, each with its line."""
    squawk = shutil.which("squawk", path=str(Path(sys.executable).parent))
    assert squawk is not None, "squawk is missing: run uv sync"
    found = subprocess.run(
        [squawk, "--reporter", "json", "--stdin-filepath", "migration.sql"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,  # it exits with 1 when it finds anything
    )
    lines = sql.splitlines()
    return [
        f"{finding['rule_name']}: {lines[finding['line']].strip()}"
        for finding in json.loads(found.stdout)
        if finding["rule_name"] in CONTRACTING or finding["level"] == "Error"
    ]


def objections(migration: ModuleType, releases: Collection[str]) -> Iterator[str]:
    """Why a migration must not be released; none for most."""
    stopped_using = getattr(migration, MARKER, None)
    if stopped_using is None:
        yield from contracting(sql_of(migration))
    elif stopped_using not in releases:
        yield f"{MARKER} = {stopped_using!r} is no release"


def releases() -> set[str]:
    """By their tags."""
    listed = subprocess.run(
        ["git", "tag", "--list", "v[0-9]*"], capture_output=True, text=True, check=True
    )
    return set(listed.stdout.split())
