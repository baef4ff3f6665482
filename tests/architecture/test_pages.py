"""A reader finds what a page links to or names: files, headings, modules, environment
variables."""

import re
import subprocess
from functools import cache
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


DOTTED = re.compile(
    r"`(?!\w+\.example|api\.env)"
    r"((?:api|cli|console|devstack|shared|simulators|worker)(?:\.\w+)+)`"
)
"""A module of ours, and perhaps a name in it: `shared.database.metrics.Observed`."""
VARIABLE = re.compile(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`")
OF_OTHERS = {
    "MALLOC_ARENA_MAX",
    "TEMPORAL_CODEC_ENDPOINT",
    "TEMPORAL_CODEC_PASS_ACCESS_TOKEN",
}
"""Variables that nothing here reads: those of the C library and of Temporal's UI."""


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


def astray(text: str) -> list[str]:
    """The modules that a text names and that are not there, or lack what it names."""
    return [name for name in DOTTED.findall(text) if not is_in_a_module(name)]


def is_in_a_module(name: str) -> bool:
    place, _, last = name.rpartition(".")
    return bool(modules(name)) or any(
        re.search(rf"\b{last}\b", module.read_text()) for module in modules(place)
    )


def modules(name: str) -> list[Path]:
    path = name.replace(".", "/")
    ends = (f"{path}.py", f"{path}/__init__.py")
    return [p for place in BELOW for end in ends if (p := place / end).exists()]


def unread(text: str) -> list[str]:
    """The environment variables that a text names and nothing here knows."""
    return sorted(set(VARIABLE.findall(text)) - known_variables() - OF_OTHERS)


@cache
def known_variables() -> set[str]:
    """Every name in what is no page, as it is written there and in capitals."""
    apart = (":!*.md", ":!*.png", ":!uv.lock", ":!tests/architecture/test_pages.py")
    listed = subprocess.run(
        ["git", "ls-files", "--", *apart],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [ROOT / file for file in listed.stdout.splitlines()]
    texts = (file.read_text(errors="ignore") for file in files if file.is_file())
    return {name.upper() for text in texts for name in re.findall(r"\w+", text)}


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


@by_page
def test_every_module_and_variable_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    assert astray(text) + unread(text) == []


def test_a_module_and_a_variable_that_do_not_are_found() -> None:
    text = "`shared.database.metrics.Gone`, `API_AUTH=oidc`, `api.gone`, `API_GONE`"
    assert astray(text) == ["shared.database.metrics.Gone", "api.gone"]
    assert unread(text) == ["API_GONE"]


def test_a_path_that_does_not_is_found() -> None:
    text = "`worker/orders/order/`, `worker/orders/policy.py`, `docs/gone.md`"
    assert missing(text) == ["worker/orders/policy.py", "docs/gone.md"]


def test_a_link_that_does_not_is_found() -> None:
    text = "[a](#checks), [b](#gone), [c](docs/README.md), [d](gone.md#checks)"
    assert broken(ROOT / "CONTRIBUTING.md", text) == ["#gone", "gone.md#checks"]
