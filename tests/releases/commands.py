"""`worker …` as an operator types it: a process, its status and what it prints."""

import asyncio
import os
import sys
from dataclasses import dataclass

from temporalio.client import Client


@dataclass(frozen=True)
class Ended:
    status: int
    said: str
    """Both streams, which people see together."""


async def worker(*arguments: str, module: str = "worker", **environment: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, said.decode())


def at(client: Client) -> dict[str, str]:
    """The environment that leads to where a client is."""
    return {
        "TEMPORAL_HOST": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
    }
