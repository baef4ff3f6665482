"""Every path that kubelet asks is answered by the service's own code."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from api.kernel import health
from console import app as console
from shared.platform.health import HealthServer

from tests.deploy.rendering import containers, environment, named


def asked(service: str) -> set[str]:
    """The paths of a service's probes."""
    deployment = named(environment("production"), "Deployment", service)
    (container,) = containers(deployment["spec"]["template"])
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    return {container[probe]["httpGet"]["path"] for probe in probes}


async def _nothing() -> Mapping[str, str]:
    return {}


async def _no_metrics() -> bytes:
    return b""


@pytest.mark.parametrize("service", ["temporal-worker", "fastapi-service", "console"])
def test_liveness_is_not_readiness(service: str) -> None:
    # A pod that cannot work for a while is left alone, not killed.
    assert asked(service) == {"/health", "/ready"}


async def test_the_worker_answers_its_probes() -> None:
    server = HealthServer("127.0.0.1", 0, problems=_nothing, metrics=_no_metrics)
    application: Any = server.config.app
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://worker"
    ) as client:
        for path in [*asked("temporal-worker"), "/metrics"]:
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/elsewhere")).status_code == 404


def test_the_api_answers_its_probes() -> None:
    paths = {getattr(route, "path", None) for route in health.router.routes}
    assert asked("fastapi-service") <= paths


def test_the_console_answers_its_probes() -> None:
    paths = {getattr(route, "path", None) for route in console.probes.routes}
    assert asked("console") <= paths
