"""What a page links to or names is there: the file, and the heading in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "deploy", "docker", "docs", "libs", "services", "tests")
PAGES = sorted(
    {*ROOT.glob("*.md"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))}
    - {ROOT / "CHANGELOG.md"}  # it tells of what was
)

BELOW = (ROOT, *ROOT.glob("*/*/src"))
"""Where a path in a text begins: `tests/…`, or `worker/…` as it is imported."""
NAMED = re.compile(
    r"`(?:…/)?((?:benchmarks|deploy|docker|docs|libs|scripts|services|tests"
    r"|api|cli|devstack|shared|simulators|worker)/[\w./-]+)`"
)


def anchors(page: Path) -> set[str]:
    """The headings, as GitLab and GitHub name them in an address."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def broken(page: Path, text: str) -> list[str]:
    """The links of a page with this text that lead nowhere. The web is not asked."""
    links = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text)
    return [link for link in links if not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    place, _, anchor = link.partition("#")
    target = page.parent / place if place else page
    return target.exists() and (not anchor or anchor in anchors(target))


def missing(text: str) -> list[str]:
    """The paths that a text names and that are not there."""
    return [
        path
        for path in NAMED.findall(text)
        if not any((place / path).exists() for place in BELOW)
    ]


by_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)


def test_every_page_is_in_the_index() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/how-to").glob("*.md")]
    index = ROOT / "docs/README.md"
    text = index.read_text()
    named = [page.relative_to(index.parent) for page in pages if page != index]
    assert [page for page in named if f"]({page})" not in text] == []


@by_page
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page, page.read_text()) == []


@by_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert missing(page.read_text()) == []


def test_a_path_that_does_not_is_found() -> None:
    text = "`worker/orders/order/`, `worker/orders/policy.py`, `docs/gone.md`"
    assert missing(text) == ["worker/orders/policy.py", "docs/gone.md"]


def test_a_link_that_does_not_is_found() -> None:
    text = "[a](#checks), [b](#gone), [c](docs/README.md), [d](gone.md#checks)"
    assert broken(ROOT / "CONTRIBUTING.md", text) == ["#gone", "gone.md#checks"]
