"""`python -m tests.releases.other_build`: the worker of a release with other steps.

With arguments it is `worker …` of that release.
"""

from dataclasses import replace

import worker.__main__ as main
from shared.database.engine import Engine
from shared.platform.connection import CurrentClient
from worker.orders.order.workflow import OrderWorkflow
from worker.orders.registration import REGISTRATION, orders_process
from worker.runtime.registry import Process
from worker.settings import WorkerSettings

from tests.releases.another_order import AnotherOrderWorkflow


def changed(workflows: object) -> list[type]:
    assert isinstance(workflows, list | tuple)
    return [AnotherOrderWorkflow if w is OrderWorkflow else w for w in workflows]


def other_process(
    settings: WorkerSettings, engine: Engine, client: CurrentClient
) -> Process:
    process = orders_process(settings, engine, client)
    queues = [replace(q, workflows=changed(q.workflows)) for q in process.queues]
    return replace(process, queues=queues)


if __name__ == "__main__":
    main.PROCESSES[:] = [
        replace(
            REGISTRATION,
            build=other_process,
            workflows=changed(REGISTRATION.workflows),
        )
    ]
    main.main()
