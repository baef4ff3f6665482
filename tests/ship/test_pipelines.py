"""What a pipeline has, and its jobs run: gitlab-ci-local reads .gitlab-ci.yml."""

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.repository import git, working_tree

TOOL = "gitlab-ci-local@4.70.0"
TABLE = yaml.safe_load(Path(__file__).with_name("pipelines.yaml").read_text())
PREDEFINED = ("CI_PIPELINE_SOURCE", "CI_COMMIT_BRANCH", "CI_COMMIT_TAG")
_OURS = ("VIRTUAL_ENV", "ORDERS_TEST_INFRASTRUCTURE")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for program, purpose in (
        ("npx", f"to run {TOOL}"),
        ("rsync", f"that {TOOL} calls"),
        ("kubectl", "that the jobs call"),
    ):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here, {purpose}")
    at = working_tree(tmp_path_factory.mktemp("pipelines") / "repository")
    git(at, "remote", "add", "origin", "https://gitlab.example.com/orders/services.git")
    # What `changes:` is compared with.
    git(at, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(at, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    return at


def local(
    at: Path, variables: dict[str, str], *options: str
) -> "subprocess.CompletedProcess[str]":
    given = [f"--variable={name}={value}" for name, value in variables.items()]
    # A tag's pipeline has no branch, and a branch's no tag.
    unset = [f"--unset-variable={v}" for v in PREDEFINED if v not in variables]
    return subprocess.run(
        [
            *("npx", "--yes", TOOL, *options, *given, *unset),
            f"--ignore-predefined-vars={','.join(PREDEFINED)}",
        ],
        cwd=at,
        env={k: v for k, v in os.environ.items() if k not in _OURS},
        capture_output=True,
        text=True,
        check=False,
    )


def jobs(at: Path, pipeline: dict[str, Any]) -> list[str]:
    """Names in their order, the copies of a matrix counted once."""
    evaluate = "false" if pipeline["code"] else "true"
    options = ("--list-csv", f"--evaluate-rule-changes={evaluate}")
    done = local(at, pipeline["at"], *options)
    assert done.returncode == 0, done.stderr
    header = done.stdout.index("name;description")
    rows = csv.DictReader(done.stdout[header:].splitlines(), delimiter=";")
    return list(
        dict.fromkeys(
            row["name"].partition(":")[0]
            + (" (manual)" if row["when"] == "manual" else "")
            for row in rows
        )
    )


@pytest.mark.parametrize("name", TABLE)
def test_a_pipeline_has_these_jobs(name: str, repository: Path) -> None:
    assert sorted(jobs(repository, TABLE[name])) == sorted(TABLE[name]["jobs"])


@pytest.mark.parametrize("name", ["merge request, code", "develop, code", "main"])
def test_what_a_job_needs_is_in_its_pipeline(name: str, repository: Path) -> None:
    options = ("--validate-dependency-chain", "--evaluate-rule-changes=false")
    done = local(repository, TABLE[name]["at"], *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "selection", [("--stage", "validate"), ("test: [3.11]",)], ids=["validate", "test"]
)
def test_the_jobs_of_a_stage_pass(selection: tuple[str, ...], repository: Path) -> None:
    cache = subprocess.run(
        ["uv", "cache", "dir"], check=True, capture_output=True, text=True
    )
    variables = TABLE["develop, code"]["at"] | {"UV_CACHE_DIR": cache.stdout.strip()}
    options = ("--force-shell-executor", "--concurrency=2", *selection)
    done = local(repository, variables, *options)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5000:]
