"""The unmodified Dockerfile is built by buildah, and the service runs in its image."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from devstack.ports import HOST, free_ports
from devstack.postgres import create_database, drop_database
from devstack.probe import answers
from devstack.subprocess import Command, Process

from tests.ship.repository import git, working_tree
from tests.support.infrastructure import Services

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

BASE = "python:3.13-slim-trixie"
PORT = free_ports().worker
# What a container is to its process, without an engine for it: the image's tree,
# read-only but for /tmp, and nobody else; the process is number 1.
CONTAIN = """
set -e
mount --bind "$0" "$0" && mount --bind /dev "$0/dev" && mount -t proc proc "$0/proc"
mount -t tmpfs -o mode=1777 tmpfs "$0/tmp" && mount -o remount,bind,ro "$0"
user=$1 && shift
exec chroot --userspec="$user" "$0" /usr/bin/env --ignore-environment "$@"
"""
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Buildah:
    """With a store of its own, so that nothing is left on this machine."""

    store: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.store / "storage.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def __call__(self, *arguments: str | Path) -> str:
        done = subprocess.run(
            ["buildah", *arguments],
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def configuration(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("inspect", "--type=image", image))
        inner: dict[str, Any] = found["OCIv1"]
        return inner


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    for program in ("buildah", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program} here")
    if os.geteuid() != 0:
        pytest.skip("buildah's chroot and mmdebstrap need root here")
    store = tmp_path_factory.mktemp("store")
    # In a container itself, a pipeline's job can only copy: there it is `vfs`.
    driver = os.environ.get("STORAGE_DRIVER", "overlay")
    (store / "storage.conf").write_text(
        f'[storage]\ndriver = "{driver}"\ngraphroot = "{store}/graph"\n'
        f'runroot = "{store}/run"\n'
    )
    tool = Buildah(store)
    _make_base(tool)
    yield tool
    tool("umount", "--all")
    tool("rm", "--all")
    # The overlay driver leaves its own folder mounted on itself.
    subprocess.run(["umount", "--recursive", store / "graph/overlay"], check=False)
    shutil.rmtree(store)


def _make_base(buildah: Buildah) -> None:
    """An image by the base's name, where no registry can be asked for it."""
    tree = buildah.store / "base.tar"
    packages = "--include=python3,python3-pip,ca-certificates"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", packages, "trixie", tree],
        check=True,
    )
    container = buildah("from", "scratch")
    buildah("add", container, tree, "/")
    if Path(AUTHORITIES).exists():
        # This machine may reach PyPI by an authority that only it knows.
        buildah("copy", container, AUTHORITIES, AUTHORITIES)
        buildah("config", f"--env=SSL_CERT_FILE={AUTHORITIES}", container)
    link = ("ln", "-s", "/usr/bin/python3", "/usr/local/bin/python")
    buildah("run", container, "--", *link)
    buildah("config", "--env=PIP_BREAK_SYSTEM_PACKAGES=1", container)
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah("config", f"--env=PATH={path}", container)
    buildah("commit", "--rm", container, BASE)
    tree.unlink()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return working_tree(tmp_path_factory.mktemp("source") / "repository")


def build(buildah: Buildah, source: Path, name: str, *options: str) -> None:
    subprocess.run(
        ["docker/build.sh", "worker", "--pull=never", *options],
        cwd=source,
        env=buildah.environment | {"IMAGE": name},
        check=True,
    )


@pytest.fixture(scope="module")
def image(buildah: Buildah, source: Path) -> str:
    build(buildah, source, "once")
    return "localhost/once"


@pytest.fixture
async def database(services: Services) -> AsyncIterator[str]:
    name = f"build_{uuid.uuid4().hex}"
    yield await create_database(services.postgres, name)
    await drop_database(services.postgres, name)


def contained(
    buildah: Buildah, image: str, settings: dict[str, str], *command: str
) -> tuple[str, ...]:
    """`command` as the only process of a new container of `image`."""
    config = buildah.configuration(image)["config"]
    environment = [*config["Env"], *(f"{k}={v}" for k, v in settings.items())]
    tree = buildah("mount", buildah("from", image))
    apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    return (*apart, "sh", "-c", CONTAIN, tree, config["User"], *environment, *command)


async def is_ready() -> bool:
    async with httpx2.AsyncClient() as http:
        return await answers(http, f"http://{HOST}:{PORT}/ready")


def test_the_image_says_what_it_is_and_runs_as_nobody(
    buildah: Buildah, source: Path, image: str
) -> None:
    commit = git(source, "rev-parse", "HEAD")
    config = buildah.configuration(image)["config"]
    labels = config["Labels"]

    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m", "worker"]
    assert labels["org.opencontainers.image.title"] == "temporal-worker"
    assert labels["org.opencontainers.image.revision"] == commit
    container = buildah("from", image)
    told = buildah("run", container, "--", "python", "-m", "worker", "--version")
    version = labels["org.opencontainers.image.version"]
    assert told == f"{version}+{commit[:7]}"


def test_built_twice_the_layers_are_the_same(
    buildah: Buildah, source: Path, image: str
) -> None:
    build(buildah, source, "twice", "--no-cache")
    once, twice = (
        buildah.configuration(name)["rootfs"] for name in (image, "localhost/twice")
    )
    assert once == twice


async def test_the_worker_serves_and_stops_as_process_1_of_a_read_only_tree(
    buildah: Buildah, image: str, database: str, services: Services, tmp_path: Path
) -> None:
    settings = {
        "DATABASE_URL": database,
        "TEMPORAL_HOST": services.temporal,
        "TEMPORAL_NAMESPACE": await services.namespace(),
        "STRIPE_API_KEY": "sk_test_build",
        "METRICS_HOST": HOST,
        "METRICS_PORT": str(PORT),
    }
    migrations, worker = (
        Process(
            Command(
                name=module,
                argv=contained(buildah, image, settings, "python", "-m", module),
                environment=buildah.environment,
                log=tmp_path / f"{module}.log",
                ready=ready,
                stop_seconds=20,
            )
        )
        for module, ready in (
            ("shared.database.migrations", None),
            ("worker", is_ready),
        )
    )
    await migrations.run_to_end()
    await worker.start()

    (first,) = psutil.Process(worker.pid).children()
    assert first.uids().real == 10001
    # To the process itself: unshare, its parent, passes no signal on.
    first.terminate()
    await worker.stop()

    assert worker.exit_code == 0
