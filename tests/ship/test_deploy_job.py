"""The job that deploys works as its image's user, in a clone that is the runner's."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.ship.dockerfile import ROOT
from tests.ship.repository import git, working_tree

ARGOCD = 999
"""The user of Argo CD's image. The runner clones as root and lets everybody write."""


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
    pipeline = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text().replace("!", ""))
    script = [*pipeline[".deploy"]["before_script"], "git status --short"]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(script)],
        cwd=clone,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CI_PROJECT_DIR": str(clone),
            "CI_PROJECT_URL": "https://gitlab.example.com/orders/order-services",
        },
        user=ARGOCD,
        group=ARGOCD,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
