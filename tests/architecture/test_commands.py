"""A command that a page names can be given as it stands: the program, the task, the
subcommand and the options are there. Whatever else it does is not tried."""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
from cli.app import app as orders
from devstack.__main__ import app as dev
from worker.__main__ import parser as worker_parser

from benchmarks.__main__ import app as benchmarks
from tests.architecture.test_pages import ROOT, by_page

TASKS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["poe"]["tasks"]
TYPER_APPS = {
    "orders": orders,
    "dev": dev,
    "python -m benchmarks": benchmarks,
}
COMMAND = re.compile(
    r"(?:[A-Z_]+=\S* )*(?:uv run (?:--group \S+ )?)?"
    r"(?P<program>poe|orders|dev|worker|pytest|python -m)(?P<rest>(?: .*)?)"
)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each of our commands in the code of a page, `uv run` left out."""
    blocks = re.findall(
        r"^( *)```(?!mermaid)\w*\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL
    )
    prose = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for _, block in blocks for line in block.splitlines()]
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for piece in (*lines, *spans):
        for command in piece.split(" && "):
            found = COMMAND.fullmatch(command.strip())
            if found:
                words = shlex.split(found["rest"], comments=True)
                yield [*found["program"].split(), *words]


def problem(words: list[str]) -> str | None:
    """What is wrong with a command."""
    match words:
        case ["poe", *rest]:
            given = [word for word in rest if not word.startswith("-")]
            return None if not given or given[0] in TASKS else "no such task"
        case ["pytest", *rest]:
            paths = [word for word in rest if word.startswith("tests/")]
            return next((f"no {p}" for p in paths if not (ROOT / p).exists()), None)
        case ["worker", *rest] | ["python", "-m", "worker", *rest]:
            # A command that is only mentioned has none of its arguments.
            named = rest if len(rest) > 1 else [*rest, "--help"]
            return refusal(lambda: worker_parser().parse_args(named))
        case ["python", "-m", "benchmarks", *rest] if rest and rest[0] != "COMMAND":
            return refusal(lambda: parse(typer.main.get_command(benchmarks), rest))
        case ["python", "-m", module, *_]:
            return None if find_spec(module) else "no such module"
        case [program, *rest] if program in TYPER_APPS:
            app = typer.main.get_command(TYPER_APPS[program])
            return refusal(lambda: parse(app, rest))
    return None


def refusal(parse: Callable[[], object]) -> str | None:
    try:
        parse()
    except SystemExit as ended:
        return None if ended.code == 0 else "refused"
    except Exception as error:  # typer's errors of usage have no class of their own
        return str(error)
    return None


def parse(command: Any, words: list[str]) -> None:
    """Raises typer's usage errors for a command or an option that does not exist."""
    if hasattr(command, "commands"):
        if not words:
            return
        with command.make_context("orders", list(words)) as context:
            _, found, rest = command.resolve_command(context, words)
        parse(found, rest)
    elif words:
        command.make_context("orders", list(words))


@by_page
def test_every_command_can_be_given_as_it_stands(page: Path) -> None:
    problems = {
        shlex.join(words): wrong
        for words in commands(page.read_text())
        if (wrong := problem(words))
    }
    assert problems == {}


@pytest.mark.parametrize(
    "wrong",
    [
        "uv run poe lints",
        "uv run orders hold list",
        "orders holds list --late",
        "uv run dev --demos",
        "uv run worker release forwards",
        "uv run python -m benchmarks costs",
        "python -m nowhere",
        "uv run pytest tests/gone.py",
    ],
)
def test_a_command_that_cannot_be_given_is_found(wrong: str) -> None:
    (words,) = commands(f"Run `{wrong}`.")
    assert problem(words) is not None
    (words,) = commands(f"```\n{wrong}  # and look\n```")
    assert problem(words) is not None
