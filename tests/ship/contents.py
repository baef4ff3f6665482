"""The contents of a service's image, made here by the Dockerfile's commands."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from devstack.subprocess import Command, Process

from tests.ship import dockerfile

UID = int(dockerfile.of("service", "USER")[0].partition(":")[0])


@dataclass(frozen=True)
class Contents:
    """What would be /opt/orders, which nobody can write to."""

    root: Path
    # For logs and for what may be written in a container: /tmp.
    scratch: Path

    def process(
        self, *arguments: str, environment: Mapping[str, str], name: str = "image"
    ) -> Process:
        """`python` with `arguments`, as in a container of this image."""
        return Process(
            Command(
                name=name,
                argv=(*_as_image_user(), str(self.root / "bin/python"), *arguments),
                environment={
                    "PATH": f"{self.root}/bin:{os.defpath}",
                    "HOME": "/nonexistent",
                    "TMPDIR": str(self.scratch),
                    # The image holds the bytecode; here it would take longest of all.
                    "PYTHONPYCACHEPREFIX": str(self.scratch),
                    "PYTHONUNBUFFERED": "1",
                    **environment,
                },
                log=self.root.parent / f"{name}.log",
            )
        )

    async def run(self, *arguments: str, **environment: str) -> str:
        """What it printed. Raises `PartFailed` if it does not end with status 0."""
        process = self.process(*arguments, environment=environment, name="once")
        process.command.log.write_text("")
        await process.run_to_end()
        return process.command.log.read_text()


@contextmanager
def contents(service: str) -> Iterator[Contents]:
    """Built anew, from the files of the working tree that the Dockerfile copies."""
    # Not pytest's own directory: that is closed to other users.
    place = Path(tempfile.mkdtemp(prefix=f"orders-image-{service}-"))
    place.chmod(0o755)
    try:
        source, root, scratch = place / "source", place / "root", place / "tmp"
        _copy_context(source)
        _sync(service, source, root)
        scratch.mkdir()
        scratch.chmod(0o1777)
        _allow_writing(root, "a-w")
        yield Contents(root, scratch)
        _allow_writing(root, "u+w")
    finally:
        shutil.rmtree(place)


def _copy_context(source: Path) -> None:
    source.mkdir()
    for name in dockerfile.copied():
        origin = dockerfile.ROOT / name
        if origin.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(origin, source / name, ignore=ignore)
        else:
            shutil.copy(origin, source)


def _sync(service: str, source: Path, root: Path) -> None:
    settings = dockerfile.environment("build") | {
        "UV_PROJECT_ENVIRONMENT": str(root),
        "UV_PYTHON": str(Path(sys.executable).resolve()),
    }
    inherited = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    for command in dockerfile.syncs(service):
        argv = [part for part in command if part != "--compile-bytecode"]
        subprocess.run(
            [os.environ.get("UV", "uv"), *argv[1:], "--quiet"],
            cwd=source,
            env=inherited | settings,
            check=True,
        )


def _allow_writing(root: Path, mode: str) -> None:
    # What is root's own is closed to the image's user anyway.
    if os.geteuid() != 0:
        subprocess.run(["chmod", "-R", mode, root], check=True)


def _as_image_user() -> tuple[str, ...]:
    """Before a command: run it as the image's user, if we are root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root has no setpriv here to become another user")
    become = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
    interpreter = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in interpreter.parents):
        return become
    # Root's interpreter is in root's home: may read everywhere, and write nowhere.
    may_read = "-all,+dac_read_search"
    return (*become, f"--inh-caps={may_read}", f"--ambient-caps={may_read}")
