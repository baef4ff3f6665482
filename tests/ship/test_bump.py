"""A release is one commit: every version, the lock, the changelog, and a tag."""

import os
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.ship.dockerfile import ROOT
from tests.ship.repository import commit, git, working_tree


def poe(at: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    environment |= {"GIT_AUTHOR_NAME": "test", "GIT_COMMITTER_NAME": "test"}
    done = subprocess.run(
        ["poe", "--quiet", *arguments],
        cwd=at,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Version 1.0.0 is out."""
    if shutil.which("uv") is None:
        pytest.skip("no uv")
    at = working_tree(
        *(tmp_path / "repository", "pyproject.toml", "uv.lock"),
        *("libs/*/pyproject.toml", "services/*/pyproject.toml", ".gitlab/*.j2"),
    )
    set_versions(at, "0.1.0")
    commit(at, "feat(worker): pack an order")
    commit(at, "fix(worker): pack it once")
    poe(at, "bump", "1.0.0", "--yes")
    return at


def projects(at: Path) -> list[Path]:
    return [at / "pyproject.toml", *at.glob("*/*/pyproject.toml")]


def set_versions(at: Path, version: str) -> None:
    """Whatever was released of this repository is not of that one."""
    for path in projects(at):
        ours = tomllib.loads(path.read_text())["project"]["version"]
        old, new = (f'\nversion = "{number}"\n' for number in (ours, version))
        path.write_text(path.read_text().replace(old, new, 1))


def test_the_first_release_tells_what_there_is(released: Path) -> None:
    """Nobody met what was mended on the way to it."""
    notes = poe(released, "release-notes", "1.0.0")
    assert "pack an order" in notes
    assert "pack it once" not in notes


def test_a_feature_raises_the_minor_version_everywhere(released: Path) -> None:
    commit(released, "feat(worker): pack twice as fast")
    commit(released, "docs: tell of it")

    poe(released, "bump")

    assert git(released, "describe") == "v1.1.0"
    assert git(released, "log", "-1", "--format=%s") == "chore(release): 1.1.0"
    assert git(released, "status", "--porcelain") == ""
    read = [tomllib.loads(path.read_text())["project"] for path in projects(released)]
    assert {project["version"] for project in read} == {"1.1.0"}
    assert len(read) > 5
    lock = tomllib.loads((released / "uv.lock").read_text())["package"]
    names = {project["name"] for project in read}
    assert {p["version"] for p in lock if p["name"] in names} == {"1.1.0"}


def test_the_notes_of_a_release_say_what_it_brings(released: Path) -> None:
    commit(released, "fix(api): count pages from one")
    commit(released, "fix(tests): count them, too")
    poe(released, "bump")

    notes = poe(released, "release-notes", "1.0.1")

    assert "### Fixed" in notes
    assert "count pages from one" in notes
    assert "count them, too" not in notes
    assert "1.0.0" not in notes
    assert notes.strip() in (released / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("message", "good"),
    [
        ("feat(worker): pack twice as fast", True),
        ("fix(api)!: refuse unknown fields", True),
        ("pack twice as fast", False),
        ("feature(worker): pack twice as fast", False),
        (f"feat(worker): {'pack ' * 14}", False),
    ],
)
def test_only_conventional_messages_pass_the_hook(
    message: str, good: bool, tmp_path: Path
) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (entry,) = (h["entry"] for h in hooks["repos"][0]["hooks"] if h["id"] == "message")
    (tmp_path / "message").write_text(message)
    command = [*shlex.split(entry), str(tmp_path / "message")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode == 0) is good
