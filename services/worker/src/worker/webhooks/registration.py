"""The worker's part in webhooks to other systems: mails to their owners, and gauges.

The deliverer is a process of its own.
"""

from shared.database.engine import Engine
from shared.database.kernel.tables import WebhookEndpoint
from shared.platform.connection import CurrentClient

from worker.runtime.registry import Process, Registration
from worker.runtime.smtp import smtp_mailer
from worker.settings import WorkerSettings
from worker.webhooks.gauges import GAUGES
from worker.webhooks.owners import Owners


def webhooks_process(
    settings: WorkerSettings, engine: Engine, _: CurrentClient
) -> Process:
    mailer = smtp_mailer(settings)
    return Process(
        name=WebhookEndpoint.owner,
        queues=(),
        messages={} if mailer is None else Owners(engine, mailer).handlers(),
        close=None if mailer is None else mailer.close,
    )


REGISTRATION = Registration(webhooks_process, workflows=(), gauges=GAUGES)
