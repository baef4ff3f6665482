"""Git repositories to try on what changes this one."""

import subprocess
from pathlib import Path

from tests.ship.dockerfile import ROOT

_IDENTITY = ["-c", "user.name=test", "-c", "user.email=test@example.com"]


def git(at: Path, *arguments: str) -> str:
    """What it printed. Raises `CalledProcessError` if git refuses."""
    command = ["git", *_IDENTITY, *arguments]
    done = subprocess.run(command, cwd=at, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def working_tree(at: Path, *paths: str) -> Path:
    """A repository whose one commit holds the files that are here now: all, or those
    below `paths`."""
    at.mkdir()
    git(at, "init", "--quiet", "--initial-branch=develop")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", *paths)
    for name in listed.splitlines():
        origin, copy = ROOT / name, at / name
        if origin.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(origin.read_bytes())
            copy.chmod(origin.stat().st_mode)
    git(at, "config", "user.name", "test")
    git(at, "config", "user.email", "test@example.com")
    commit(at, "chore: begin")
    return at


def commit(at: Path, message: str) -> str:
    """Commit everything, and say what the commit is called."""
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return git(at, "rev-parse", "HEAD")
