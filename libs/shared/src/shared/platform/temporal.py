"""The one way to reach Temporal."""

import os
import socket
from pathlib import Path

from pydantic import SecretStr
from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RetryConfig, TLSConfig

from shared.platform.encryption import data_converter
from shared.platform.settings import TemporalSettings
from shared.platform.telemetry import temporal_plugins

# A gateway that waits out an outage answers nobody, so it gives up after two seconds.
GATEWAY_RETRIES = RetryConfig(max_retries=3, max_elapsed_time_millis=2000)


def certificate_files(settings: TemporalSettings) -> list[Path]:
    """The files that `tls_config` reads."""
    paths = (
        settings.temporal_tls_server_ca_cert_path,
        settings.temporal_tls_client_cert_path,
        settings.temporal_tls_client_key_path,
    )
    return [path for path in paths if path is not None]


def tls_config(settings: TemporalSettings) -> TLSConfig | bool:
    """Certificates are read now; `settings` hold only their paths."""

    def read(path: Path | None) -> bytes | None:
        return path.read_bytes() if path else None

    certificates = TLSConfig(
        server_root_ca_cert=read(settings.temporal_tls_server_ca_cert_path),
        client_cert=read(settings.temporal_tls_client_cert_path),
        client_private_key=read(settings.temporal_tls_client_key_path),
        domain=settings.temporal_tls_server_name,
    )
    return certificates if certificates != TLSConfig() else settings.temporal_tls


async def connect(
    settings: TemporalSettings,
    *,
    lazy: bool = False,
    retry_briefly: bool = False,
    runtime: Runtime | None = None,
    api_key: SecretStr | None = None,
) -> Client:
    """Connect once. Raises `RuntimeError` when the server is not there.

    `lazy` connects with the first call, so that a gateway starts while Temporal is
    down; a worker cannot use such a client. `api_key` goes before that of `settings`.
    """
    key = api_key or settings.temporal_api_key
    return await Client.connect(
        settings.temporal_host,
        namespace=settings.temporal_namespace,
        data_converter=data_converter(settings),
        api_key=key.get_secret_value() if key else None,
        tls=tls_config(settings),
        lazy=lazy,
        retry_config=GATEWAY_RETRIES if retry_briefly else None,
        runtime=runtime,
        plugins=temporal_plugins(),
        identity=f"{os.getpid()}@{socket.gethostname()}",
    )
