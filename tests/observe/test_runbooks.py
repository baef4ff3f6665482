"""What the pages of the alerts ask of the cluster and of the database is there."""

import re
from pathlib import Path

import pytest
from shared.database.engine import Engine
from sqlalchemy import text

from tests.deploy import test_docs as docs
from tests.observe.sources import ROOT

PAGES = [
    page
    for page in sorted((ROOT / "docs/runbooks").glob("*.md"))
    if page.name != "troubleshooting.md"
]
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n\s+(.+?)\n\s+```", page.read_text(), re.DOTALL)


@by_page
def test_there_are_three_looks(page: Path) -> None:
    looks = page.read_text().split("## First three looks")[1].split("## Fix")[0]
    assert len(re.findall(r"^   ```\w+$", looks, re.MULTILINE)) == 3


@by_page
def test_what_kubectl_is_asked_about_exists(page: Path) -> None:
    asked = [thing for words in docs.commands(page) for thing in docs.names(words)]
    assert sorted(set(asked) - docs.existing()) == []
    docs.test_namespaces_and_task_queues_of_temporal_exist(page)


async def test_every_statement_can_be_planned(engine: Engine) -> None:
    asked = [statement for page in PAGES for statement in blocks(page, "sql")]
    for page in (ROOT / "docs").rglob("*.md"):
        asked += re.findall(r"psql -d orders -c '(.+?)'", page.read_text())
    assert asked
    async with engine.connect() as connection:
        for statement in asked:
            await connection.execute(text(f"EXPLAIN {statement}"))
