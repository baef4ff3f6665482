"""The one way to reach Temporal."""

import asyncio
import logging
import os
import random
import socket
from datetime import timedelta

from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RetryConfig, TLSConfig

from shared.platform.converter import DATA_CONVERTER
from shared.platform.settings import TemporalSettings
from shared.platform.telemetry import temporal_plugins

log = logging.getLogger(__name__)

# A gateway that waits out an outage answers nobody: two seconds in all, then say so.
GATEWAY_RETRIES = RetryConfig(max_retries=3, max_elapsed_time_millis=2000)


def tls_config(settings: TemporalSettings) -> TLSConfig | bool:
    """Certificates are read now; `settings` hold only their paths."""

    def read(name: str) -> bytes | None:
        path = getattr(settings, f"temporal_tls_{name}_path")
        return path.read_bytes() if path else None

    certificates = TLSConfig(
        server_root_ca_cert=read("server_ca_cert"),
        client_cert=read("client_cert"),
        client_private_key=read("client_key"),
        domain=settings.temporal_tls_server_name,
    )
    return certificates if certificates != TLSConfig() else settings.temporal_tls


async def connect(
    settings: TemporalSettings, *, lazy: bool = False, runtime: Runtime | None = None
) -> Client:
    """Connect once. Raises `RuntimeError` when the server is not there.

    `lazy` connects with the first call, so that a gateway starts while Temporal is
    down; a worker cannot use such a client.
    """
    key = settings.temporal_api_key
    return await Client.connect(
        settings.temporal_host,
        namespace=settings.temporal_namespace,
        data_converter=DATA_CONVERTER,
        api_key=key.get_secret_value() if key else None,
        tls=tls_config(settings),
        lazy=lazy,
        retry_config=GATEWAY_RETRIES if lazy else None,
        runtime=runtime,
        plugins=temporal_plugins(),
        identity=f"{os.getpid()}@{socket.gethostname()}",
    )


async def connect_when_there(
    settings: TemporalSettings, *, runtime: Runtime | None = None
) -> Client:
    """Connect, however long the server takes to come: workers often boot first."""
    delay = timedelta(seconds=0.2)
    while True:
        try:
            return await connect(settings, runtime=runtime)
        except RuntimeError as error:
            log.warning(
                "Temporal is not reachable yet",
                extra={"temporal_host": settings.temporal_host, "error": str(error)},
            )
        await asyncio.sleep(delay.total_seconds() * random.uniform(0.5, 1.5))  # noqa: S311
        delay = min(delay * 2, timedelta(seconds=5))
