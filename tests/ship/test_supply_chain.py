"""What others made and we ship: hashed, aged, and under licences that allow it."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.dockerfile import ROOT
from tests.ship.repository import commit, working_tree

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
OURS = {
    "api",
    "cli",
    "console",
    "devstack",
    "order-services",
    "shared",
    "simulators",
    "worker",
}


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_file_that_may_be_installed_has_a_hash() -> None:
    others = [package for package in LOCKED if package["name"] not in OURS]
    assert len(others) > 100
    for package in others:
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files)


def test_nothing_is_taken_before_it_is_as_old_as_renovate_wants_it() -> None:
    renovate = json.loads((ROOT / "renovate.json").read_text())
    assert PROJECT["tool"]["uv"]["exclude-newer"] == renovate["minimumReleaseAge"]


def test_renovate_finds_the_images_behind_the_mirror_s_name() -> None:
    renovate = json.loads((ROOT / "renovate.json").read_text())
    pipeline = _pipeline()
    registry = pipeline["variables"]["DOCKER_REGISTRY"]
    mirror = pipeline["variables"]["MIRROR"].replace("$DOCKER_REGISTRY", registry)
    assert renovate["registryAliases"] == {"$MIRROR": mirror}


def test_renovate_finds_every_row_of_the_table_of_charts() -> None:
    renovate = json.loads((ROOT / "renovate.json").read_text())
    table = (ROOT / "deploy/argocd/README.md").read_text()
    pattern = next(
        manager["matchStrings"][0].replace("(?<", "(?P<")
        for manager in renovate["customManagers"]
        if "argocd/README" in manager["managerFilePatterns"][0]
    )
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    assert len(re.findall(pattern, table)) == len(rows) > 5


def test_what_is_shipped_has_licences_that_allow_it() -> None:
    done = run("poethepoet", "--quiet", "licences")
    assert done.returncode == 0, done.stderr


def test_another_licence_is_refused() -> None:
    # A tool of developers, under the GPL.
    done = run("piplicenses", "--packages", "yamllint")
    assert done.returncode == 1
    assert "GPL-3.0-or-later not in allow-only" in done.stderr


@pytest.mark.parametrize("task", ["lock-check", "licences", "audit"])
def test_the_pipeline_asks_it_of_every_commit(task: str) -> None:
    (matrix,) = _pipeline()["check"]["parallel"]["matrix"]
    called = [line for job in _pipeline().values() for line in _script(job)]
    assert task in matrix["TASK"] or f"uv run --no-sync poe {task}" in called


def test_people_and_the_pipeline_look_for_secrets_with_the_same_scanner() -> None:
    image = _pipeline()["secrets"]["image"]["name"]
    version = image.rpartition(":")[2]
    task = PROJECT["tool"]["poe"]["tasks"]["secrets"]["cmd"]
    assert f"gitleaks/v8@{version} git" in task


@pytest.mark.slow
def test_a_secret_that_is_committed_is_found(tmp_path: Path) -> None:
    if shutil.which("gitleaks") is None:
        pytest.skip(
            "no gitleaks: go install github.com/zricethezav/gitleaks/v8@v8.28.0"
        )
    repository = working_tree(tmp_path / "repository", ".gitleaks.toml", "docker")
    assert _gitleaks(repository) == 0
    # In two parts, so that it is not found here.
    (repository / "key.py").write_text('KEY = "sk_live_' + '4eC39HqLyjWDarjtT1zdp7dc"')
    commit(repository, "feat: pay")
    assert _gitleaks(repository) == 1


def test_manifests_are_scanned_as_a_cluster_gets_them() -> None:
    """A patch alone has no security context: scanned as it is, none would ever pass."""
    jobs = _pipeline()
    scanned = {line.split()[-1] for line in _script(jobs["scan-config"])}
    assert scanned == {"docker", *jobs["manifests"]["artifacts"]["paths"]}
    assert jobs["scan-config"]["needs"] == ["manifests"]


def test_each_exception_of_the_scanner_is_of_a_file_that_is_rendered() -> None:
    excepted = yaml.safe_load((ROOT / ".gitlab/trivyignore.yaml").read_text())
    for finding in excepted["misconfigurations"]:
        assert finding["statement"]
        for path in finding["paths"]:
            folder = path.removesuffix("/manifests.yaml")
            assert list(ROOT.glob(folder)), path


def _gitleaks(repository: Path) -> int:
    command = ["gitleaks", "git", "--redact", "--no-banner"]
    return subprocess.run(command, cwd=repository, check=False).returncode


def _pipeline() -> dict[str, Any]:
    # `!reference` is GitLab's own.
    text = (ROOT / ".gitlab-ci.yml").read_text().replace("!", "")
    jobs: dict[str, Any] = yaml.safe_load(text)
    return jobs


def _script(job: Any) -> list[str]:
    return job.get("script", []) if isinstance(job, dict) else []
