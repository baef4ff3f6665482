"""Each decision in docs/adr is listed, whole, and enforced by something that exists."""

import re
from pathlib import Path

import pytest

from tests.architecture.test_security_page import is_there

FOLDER = Path(__file__).parents[2] / "docs/adr"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def title(page: Path) -> str:
    number = int(page.name.partition("-")[0])
    return page.read_text().splitlines()[0].removeprefix(f"# {number}. ")


def enforcers(text: str) -> list[str]:
    """The tests and files that the last part of a page names."""
    last = text.partition("**Enforced by.**")[2]
    return re.findall(r"`((?:tests|scripts)/[\w./:-]+|pyproject\.toml)`", last)


@by_page
def test_a_decision_has_all_its_parts(page: Path) -> None:
    assert re.findall(r"^\*\*([A-Z][\w ]+)\.\*\*", page.read_text(), re.M) == PARTS


@by_page
def test_what_enforces_a_decision_exists(page: Path) -> None:
    named = enforcers(page.read_text())
    assert any(name.startswith("tests/") for name in named)
    assert [name for name in named if not is_there(name)] == []


def test_every_decision_is_listed_under_its_title() -> None:
    rows = re.findall(r"^\| \[(\d+)\]\((.+)\) \| (.+) \|$", index(), re.M)
    assert rows == [(str(int(page.name[:4])), page.name, title(page)) for page in PAGES]


def index() -> str:
    return (FOLDER / "README.md").read_text()


def test_a_decision_that_no_test_enforces_is_found() -> None:
    assert enforcers("**Enforced by.** Everybody's good will, and `tables.py`.") == []
