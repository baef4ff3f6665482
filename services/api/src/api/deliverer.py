"""The deliverer: tells webhook endpoints of events. `python -m api deliver`.

A process of its own, and not a part of API or worker: it is the only one that calls
addresses which others have named, so it holds no secret but those of the endpoints, and
only it has a way out to the whole internet (docs/adr/0069-webhooks-from-a-cursor.md).
It lives beside the API because it sends what the feed shows.
"""

import asyncio
import ssl

import prometheus_client
from shared.database.engine import DATABASE_FAILURES, Engine, connector, create_engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.database.revision import database_revision, fits
from shared.platform.health import HealthServer, Problems
from shared.platform.metrics import watch_event_loop

from api.kernel.delivery.deliverer import Deliverer
from api.processes import PROCESSES, hrefs
from api.settings import DelivererSettings

PROBE_SECONDS = 2.0


async def deliver(settings: DelivererSettings, stop: asyncio.Event) -> bool:
    """Deliver until asked to stop. Returns `False` if it broke off before."""
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    engine = create_engine(settings, application="deliverer")
    listener = Listener(connector(settings, application="deliverer"), CHANNEL)
    deliverer = Deliverer(
        *(engine, listener, hrefs(PROCESSES)),
        *(settings.webhook_networks, ssl.create_default_context()),
    )

    async def problems() -> Problems:
        return {"deliverer": "draining"} if stop.is_set() else await _problems(engine)

    health = HealthServer(
        *(settings.metrics_host, settings.metrics_port),
        problems=problems,
        metrics=_metrics,
    )
    serving = asyncio.create_task(health.serve())
    watching = asyncio.create_task(watch_event_loop())
    listener.start()
    delivering = asyncio.create_task(deliverer.run(stop))
    try:
        await asyncio.wait((serving, delivering), return_when=asyncio.FIRST_COMPLETED)
        broke_off = not stop.is_set()
        stop.set()
        await delivering
    finally:
        health.should_exit = True
        await serving
        watching.cancel()
        await listener.stop()
        await engine.dispose()
    return not broke_off


async def _metrics() -> bytes:
    return await asyncio.to_thread(prometheus_client.generate_latest)


async def _problems(engine: Engine) -> Problems:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            revision = await database_revision(engine)
    except DATABASE_FAILURES as error:
        return {"database": f"no answer: {type(error).__name__}"}
    return {} if fits(revision) else {"database": f"at migration {revision}"}
