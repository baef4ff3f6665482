"""Each service runs from what its image holds: no more, as nobody, writing nowhere."""

import ast
import json
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import metadata

import httpx2
import pytest
from devstack.ports import HOST, free_ports
from devstack.postgres import create_database, drop_database
from devstack.probe import answers
from devstack.subprocess import Process

from tests.ship import dockerfile
from tests.ship.contents import Contents, contents
from tests.support.infrastructure import Services

COMMIT = "3f9c2ab5d1e84c70b6a29f8e7d5c4b3a29181706"
VERSION = f"{metadata.version('shared')}+{COMMIT[:7]}"
PORTS = free_ports()

TOOLS = {"cli", "devstack", "mypy", "pip", "pytest", "simulators", "uv"}
NOT_NEEDED = {
    "worker": {"api", "fastapi", *TOOLS},
    "api": {"stripe", "worker", *TOOLS},
}
LOOK_AROUND = f"""
import importlib.util, json, os, shared.platform, sys
from pathlib import Path

def write(path):
    try:
        return open(path, "a")
    except PermissionError:
        return None

# Installed, not linked to sources that the image does not have.
library = Path(shared.platform.__path__[0])
assert library.is_relative_to(sys.prefix), library
print(json.dumps({{
    "uid": os.geteuid(),
    "written": [path for path in (
        f"{{sys.prefix}}/new", f"{{library}}/version.py") if write(path)],
    "missing": [name for name in {sorted(set().union(*NOT_NEEDED.values()))}
        if importlib.util.find_spec(name) is None],
}}))
"""


@pytest.fixture
async def empty_database(services: Services) -> AsyncIterator[str]:
    name = f"image_{uuid.uuid4().hex}"
    yield await create_database(services.postgres, name)
    await drop_database(services.postgres, name)


@pytest.fixture
async def settings(empty_database: str, services: Services) -> dict[str, str]:
    return {
        "GIT_COMMIT": COMMIT,
        "DATABASE_URL": empty_database,
        "TEMPORAL_HOST": services.temporal,
        "TEMPORAL_NAMESPACE": await services.namespace(),
        "STRIPE_API_KEY": "sk_test_image",
        "OIDC_ISSUER": "https://id.example.com",
        "OIDC_AUDIENCE": "orders",
        "API_HOST": HOST,
        "METRICS_HOST": HOST,
    }


def serving(image: Contents, service: str, settings: dict[str, str]) -> Process:
    """The service, which is ready when it says so itself."""
    process = image.process("-m", service, environment=settings, name=service)
    url = address(service, "/ready")

    async def ready() -> bool:
        async with httpx2.AsyncClient() as http:
            return await answers(http, url)

    command = replace(process.command, ready=ready, stop_seconds=10)
    return Process(command)


def address(service: str, path: str) -> str:
    port = PORTS.api if service == "api" else PORTS.worker
    return f"http://{HOST}:{port}{path}"


@pytest.mark.slow
@pytest.mark.timeout(300)  # it imports everything uncompiled
@pytest.mark.parametrize("service", ["worker", "api"])
async def test_a_service_becomes_ready_from_its_image(
    service: str, settings: dict[str, str]
) -> None:
    metrics = PORTS.worker if service == "worker" else PORTS.api_metrics
    settings |= {"API_PORT": str(PORTS.api), "METRICS_PORT": str(metrics)}
    with contents(service) as image:
        assert await image.run("-m", service, "--help")
        told = await image.run("-m", service, "--version", GIT_COMMIT=COMMIT)
        assert told.strip() == VERSION
        await image.run("-m", "shared.database.migrations", **settings)

        process = serving(image, service, settings)
        await process.start()
        async with httpx2.AsyncClient() as http:
            alive = await http.get(address(service, "/health"))
        await process.stop()

        looked = json.loads(await image.run("-c", LOOK_AROUND))

    assert alive.json()["status"] == "ok"
    assert process.exit_code == 0
    assert looked["written"] == []
    assert looked["missing"] == sorted(NOT_NEEDED[service])


@pytest.mark.parametrize("service", ["worker", "api", "console"])
def test_a_service_ships_whatever_it_imports(service: str) -> None:
    """Of what is shipped, by what the lock says; no process need be started for it."""
    shipped = dockerfile.shipped(service)
    assert [
        module
        for module in sorted(imported(service))
        if not shipped & PROVIDERS.get(module, {module})
    ] == []


PROVIDERS = {
    module: {name.lower().replace("_", "-") for name in names}
    for module, names in metadata.packages_distributions().items()
}


def imported(service: str) -> set[str]:
    """The packages that the sources of a service import, but Python's own."""
    sources = [
        *(dockerfile.ROOT / f"services/{service}/src").rglob("*.py"),
        *(dockerfile.ROOT / "libs/shared/src").rglob("*.py"),
    ]
    names = {
        name
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
        for name in _names(node)
    }
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


def test_the_final_image_is_made_for_one_process_and_nobody() -> None:
    assert dockerfile.of("service", "USER") == ["10001:10001"]
    for service in ("worker", "api"):
        assert dockerfile.of(service, "ENTRYPOINT") == [
            f'["python", "-m", "{service}"]'
        ]


def test_bytecode_is_compiled_and_never_compared_with_times() -> None:
    assert "--compile-bytecode" in dockerfile.syncs("worker")[-1]
    environment = dockerfile.environment("build")
    assert environment["PYC_INVALIDATION_MODE"] == "UNCHECKED_HASH"


def test_only_what_is_copied_reaches_the_build() -> None:
    ignore = (dockerfile.ROOT / ".dockerignore").read_text().splitlines()
    kept = {line[1:].rstrip("/") for line in ignore if line.startswith("!")}
    assert ignore[1] == "*"
    assert kept == set(dockerfile.copied())
