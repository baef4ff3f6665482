"""Temporal, for a command that ends soon."""

from shared.platform.settings import TemporalSettings
from shared.platform.temporal import connect
from temporalio.client import Client

from worker.releasing.problems import CannotTell


async def reach(settings: TemporalSettings) -> Client:
    """Raises `CannotTell` when the server is not there."""
    try:
        return await connect(settings)
    except RuntimeError as error:
        raise CannotTell(
            f"Temporal is not reachable at {settings.temporal_host}: {error}"
        ) from error
