"""The job that deploys works as its image's user, in a clone that is the runner's."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ship.dockerfile import ROOT
from tests.ship.repository import git, working_tree

ARGOCD = 999
"""The user of Argo CD's image. The runner clones as root and lets everybody write."""


BUSY = """#!/bin/sh
# Argo CD, which is at it by itself when it is asked first.
echo "$@" >>"$0.log"
case "$*" in
  *--operation*) touch "$0.over" ;;
  "app sync"*) [ -e "$0.over" ] || exit 20 ;;
esac
"""


def deploying() -> dict[str, Any]:
    pipeline = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text().replace("!", ""))
    job: dict[str, Any] = pipeline[".deploy"]
    return job


@pytest.fixture
def place() -> Iterator[Path]:
    # Not pytest's own directory: that is closed to other users.
    place = Path(tempfile.mkdtemp(prefix="orders-deploy-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else too")
def test_git_works_in_the_clone_of_somebody_else(place: Path) -> None:
    clone = working_tree(place / "clone", ".gitlab")
    git(clone, "remote", "add", "origin", "https://gitlab.example.com/")
    subprocess.run(["chmod", "-R", "a+rwX", clone], check=True)
    home = place / "home"
    home.mkdir()
    os.chown(home, ARGOCD, ARGOCD)
    script = [*deploying()["before_script"], "git status --short"]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(script)],
        cwd=clone,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CI_PROJECT_DIR": str(clone),
            "CI_SERVER_HOST": "gitlab.example.com",
            "CI_PROJECT_PATH": "orders/order-services",
            "DEPLOY_KEY": os.devnull,
            "SSH_KNOWN_HOSTS": os.devnull,
        },
        user=ARGOCD,
        group=ARGOCD,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_only_the_environment_s_own_key_moves_what_its_cluster_follows() -> None:
    job = yaml.safe_dump(deploying())
    assert "$DEPLOY_KEY" in job
    assert "CI_JOB_TOKEN" not in (ROOT / ".gitlab-ci.yml").read_text()


def test_the_first_deployment_ends_before_there_is_an_argo_cd(tmp_path: Path) -> None:
    """It makes the branch and the images that scripts/deploy.sh asks for."""
    script = [line for line in deploying()["script"] if "promote" not in line]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(script)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        executable="/bin/bash",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "docs/deployment.md" in done.stdout


def test_a_sync_that_argo_cd_began_itself_is_waited_for(tmp_path: Path) -> None:
    argocd = tmp_path / "argocd"
    argocd.write_text(BUSY)
    argocd.chmod(0o755)
    script = [line for line in deploying()["script"] if line.startswith("argocd")]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(script)],
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=False,
    )
    asked = Path(f"{argocd}.log").read_text().splitlines()
    assert done.returncode == 0, done.stderr
    assert asked.count("app sync temporal-product --timeout 900") == 2
    assert asked[-1] == "app wait temporal-product --sync --health --timeout 900"
