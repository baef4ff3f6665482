"""The code of another commit, in an environment of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def git(*arguments: str) -> str:
    """What Git says; nothing where it refuses."""
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


@contextmanager
def checked_out(commit: str, tree: Path) -> Iterator[Path]:
    """The interpreter of that commit in `tree`, with nothing but its own code."""
    git("worktree", "add", "--detach", str(tree), commit)
    try:
        environment = {n: v for n, v in os.environ.items() if n != "VIRTUAL_ENV"}
        subprocess.run(
            ["uv", "sync", "--quiet", "--frozen", "--no-dev", "--all-packages"],
            cwd=tree,
            env=environment,
            check=True,
        )
        yield tree / ".venv/bin/python"
    finally:
        git("worktree", "remove", "--force", str(tree))
