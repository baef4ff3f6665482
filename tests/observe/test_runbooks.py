"""Each command in an alert's page is one that can be given as it stands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from cli.app import app
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

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
    looks = page.read_text().split("## First three looks")[1].split("## Mend")[0]
    assert len(re.findall(r"^   ```\w+$", looks, re.MULTILINE)) == 3


@by_page
def test_what_kubectl_is_asked_about_exists(page: Path) -> None:
    asked = [thing for words in docs.commands(page) for thing in docs.names(words)]
    assert sorted(set(asked) - docs.existing()) == []
    docs.test_namespaces_and_task_queues_of_temporal_exist(page)


@by_page
def test_the_command_line_knows_its_commands(page: Path) -> None:
    for words in commands_of_ours(page):
        parse(typer.main.get_command(app), words)


def commands_of_ours(page: Path) -> Iterator[list[str]]:
    given = re.findall(r"(?:^ *|`)(orders [^\n`]+)", page.read_text(), re.MULTILINE)
    for command in given:
        yield shlex.split(command)[1:]


def parse(command: Any, words: list[str]) -> None:
    """Raises typer's usage errors for a command or an option that does not exist."""
    if hasattr(command, "commands"):
        with command.make_context("orders", list(words)) as context:
            _, found, rest = command.resolve_command(context, words)
        parse(found, rest)
    elif words:
        command.make_context("orders", list(words))


@pytest.mark.parametrize("wrong", ["hold list", "holds list --late"])
def test_an_unknown_command_or_option_is_found(wrong: str) -> None:
    with pytest.raises(Exception, match="No such"):
        parse(typer.main.get_command(app), wrong.split())


async def test_every_statement_can_be_planned(engine: AsyncEngine) -> None:
    asked = [statement for page in PAGES for statement in blocks(page, "sql")]
    assert asked
    async with engine.connect() as connection:
        for statement in asked:
            await connection.execute(text(f"EXPLAIN {statement}"))
