"""`worker …` as an operator types it: its status, and what it prints."""

import asyncio
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from shared.platform.main import MISCONFIGURED
from shared.platform.settings import SettingsError
from temporalio.client import Client
from worker.__main__ import command, parser


@dataclass(frozen=True)
class Ended:
    status: int
    said: str
    """Both streams, which people see together."""


async def worker(*arguments: str, **environment: str) -> Ended:
    """In this process: to start one takes longer than what most commands do."""
    said = StringIO()
    with (
        patch.dict(os.environ, environment),
        redirect_stdout(said),
        redirect_stderr(said),
    ):
        try:
            status = await command(parser().parse_args(arguments))
        except SettingsError as error:
            status = MISCONFIGURED
            print(error)
        except SystemExit as error:
            status = int(error.code or 0)
    return Ended(status, said.getvalue())


async def worker_process(
    *arguments: str, module: str = "worker", **environment: str
) -> Ended:
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
