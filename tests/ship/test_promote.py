"""Which images an environment runs is a commit, made from what was built or ran."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.ship.dockerfile import ROOT
from tests.ship.repository import commit, git, working_tree

NAMES = ("temporal-worker", "fastapi-service", "console")


def overlay(environment: str) -> str:
    folder = f"deploy/kustomize/overlays/{environment}/temporal-product"
    return f"{folder}/kustomization.yaml"


def built(commit: str) -> dict[str, str]:
    """The images of a commit, by name."""
    return {
        name: f"{commit}@sha256:{hashlib.sha256((name + commit).encode()).hexdigest()}"
        for name in NAMES
    }


@dataclass(frozen=True)
class Shipping:
    """A pipeline's clone, and the repository that it pushes to."""

    clone: Path
    origin: Path

    def promote(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [ROOT / ".gitlab" / "promote.sh", *arguments],
            cwd=self.clone,
            capture_output=True,
            text=True,
            check=False,
        )

    def deploy(self, environment: str, branch: str, commit: str) -> None:
        images = (f"{name}={image}" for name, image in built(commit).items())
        done = self.promote(environment, branch, *images)
        assert done.returncode == 0, done.stderr

    def runs(self, environment: str, branch: str) -> dict[str, str]:
        """What Argo CD would read on a branch."""
        text = git(self.origin, "show", f"{branch}:{overlay(environment)}")
        return {
            image["name"]: f"{image['newTag']}@{image.get('digest')}"
            for image in yaml.safe_load(text)["images"]
            if image["name"] in NAMES
        }


@pytest.fixture
def shipping(tmp_path: Path) -> Shipping:
    origin = tmp_path / "origin.git"
    clone = working_tree(tmp_path / "clone", "deploy/kustomize/overlays")
    git(tmp_path, "clone", "--quiet", "--bare", str(clone), str(origin))
    for branch in ("main", "release/v1.2.0"):
        git(origin, "branch", branch, "develop")
    git(clone, "remote", "add", "origin", str(origin))
    return Shipping(clone, origin)


def test_a_deployment_changes_three_images_and_starts_no_pipeline(
    shipping: Shipping,
) -> None:
    shipping.deploy("development", "develop", "c0ffee")

    assert shipping.runs("development", "develop") == built("c0ffee")
    assert "[skip ci]" in git(shipping.origin, "log", "-1", "--format=%s", "develop")
    stat = git(shipping.origin, "diff", "--numstat", "develop~", "develop")
    assert stat.split() == ["6", "3", overlay("development")]


def test_a_second_deployment_replaces_the_first(shipping: Shipping) -> None:
    shipping.deploy("development", "develop", "c0ffee")
    shipping.deploy("development", "develop", "decade")
    assert shipping.runs("development", "develop") == built("decade")


def test_repeating_a_deployment_commits_nothing(shipping: Shipping) -> None:
    shipping.deploy("development", "develop", "c0ffee")
    before = git(shipping.origin, "rev-parse", "develop")
    shipping.deploy("development", "develop", "c0ffee")
    assert git(shipping.origin, "rev-parse", "develop") == before


def test_what_was_merged_meanwhile_is_kept(shipping: Shipping, tmp_path: Path) -> None:
    colleague = tmp_path / "colleague"
    git(tmp_path, "clone", "--quiet", str(shipping.origin), str(colleague))
    merged = commit(colleague, "feat: come in between")
    git(colleague, "push", "--quiet", "origin", "develop")

    shipping.deploy("development", "develop", "c0ffee")

    assert git(shipping.origin, "rev-parse", "develop~") == merged


def test_the_branch_of_staging_follows_the_candidate(shipping: Shipping) -> None:
    shipping.deploy("staging", "release/v1.2.0", "c0ffee")
    candidate = git(shipping.origin, "rev-parse", "release/v1.2.0")
    assert git(shipping.origin, "rev-parse", "staging") == candidate


def test_production_runs_the_very_images_of_staging(shipping: Shipping) -> None:
    shipping.deploy("staging", "main", "c0ffee")
    done = shipping.promote("production", "main", "--from", "staging")
    assert done.returncode == 0, done.stderr
    assert shipping.runs("production", "main") == built("c0ffee")


def test_what_is_merged_reaches_production_only_by_its_deployment(
    shipping: Shipping, tmp_path: Path
) -> None:
    shipping.deploy("staging", "main", "c0ffee")
    shipping.promote("production", "main", "--from", "staging")
    before = git(shipping.origin, "rev-parse", "production")
    colleague = tmp_path / "colleague"
    git(tmp_path, "clone", "--quiet", str(shipping.origin), str(colleague))
    git(colleague, "switch", "--quiet", "main")
    merged = commit(colleague, "feat(deploy): change a manifest")
    git(colleague, "push", "--quiet", "origin", "main")
    assert git(shipping.origin, "rev-parse", "production") == before
    shipping.promote("production", "main", "--from", "staging")
    assert git(shipping.origin, "rev-parse", "production") == merged


def test_a_rollback_brings_back_what_ran_before(shipping: Shipping) -> None:
    for each in ("c0ffee", "decade"):
        shipping.deploy("development", "develop", each)
    done = shipping.promote("development", "develop", "--back")
    assert done.returncode == 0, done.stderr
    assert shipping.runs("development", "develop") == built("c0ffee")


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["production", "main", "--from", "staging"], 1, "no such images"),
        (["development", "develop", "--back"], 1, "no such images"),
        (["development", "develop", "temporal-worker=latest"], 2, "NAME=TAG@DIGEST"),
        (["nowhere", "develop", "--back"], 2, "no environment nowhere"),
        (["development", "develop"], 2, "usage"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    shipping: Shipping, arguments: list[str], status: int, reason: str
) -> None:
    before = git(shipping.origin, "for-each-ref")
    done = shipping.promote(*arguments)
    assert (done.returncode, reason in done.stderr) == (status, True), done.stderr
    assert git(shipping.origin, "for-each-ref") == before


def test_an_image_that_the_overlay_does_not_name_is_refused(shipping: Shipping) -> None:
    image = built("c0ffee")["temporal-worker"]
    done = shipping.promote("development", "develop", f"temporal-wroker={image}")
    assert done.returncode == 1
    assert "names no such image" in done.stderr
