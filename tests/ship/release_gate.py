"""`python -m tests.ship.release_gate`: can this code continue what runs out there?

Replays the histories of open workflows with the workflows of this working tree. It only
reads. Replay finds a step that was moved, renamed or left out; it proves nothing else.
"""

import argparse
from collections.abc import AsyncIterator, Sequence
from itertools import chain

from pydantic import SecretStr
from shared.database.engine import create_engine
from shared.platform.connection import connect_once
from shared.platform.converter import DATA_CONVERTER
from shared.platform.process import run_main
from shared.platform.settings import TemporalSettings, load_settings
from temporalio.client import Client
from temporalio.worker import Replayer, WorkflowReplayResult
from worker.__main__ import PROCESSES
from worker.runtime.sandbox import sandbox
from worker.settings import WorkerSettings


async def replay_open(
    client: Client, workflows: Sequence[type], at_most: int
) -> AsyncIterator[WorkflowReplayResult]:
    """One result for each open workflow; `replay_failure` says what is wrong."""
    replayer = Replayer(
        workflows=workflows, workflow_runner=sandbox(), data_converter=DATA_CONVERTER
    )
    running = client.list_workflows("ExecutionStatus = 'Running'", limit=at_most)
    async with replayer.workflow_replay_iterator(running.map_histories()) as results:
        async for result in results:
            yield result


def all_workflows(client: Client) -> list[type]:
    """What a worker of this code would run. Neither database nor provider is asked."""
    settings = WorkerSettings(
        database_url=SecretStr("postgresql://nowhere"), stripe_api_key=SecretStr("none")
    )
    engine = create_engine(settings, application="release-gate")
    queues = chain.from_iterable(
        build(settings, engine, lambda: client).queues for build in PROCESSES
    )
    return [workflow for queue in queues for workflow in queue.workflows]


async def judge(at_most: int) -> int:
    client = await connect_once(load_settings(TemporalSettings))
    looked_at = failed = 0
    async for result in replay_open(client, all_workflows(client), at_most):
        looked_at += 1
        if result.replay_failure is not None:
            failed += 1
            print(f"{result.history.workflow_id}: {result.replay_failure}")
    print(f"{looked_at} open workflows in {client.namespace}, {failed} cannot go on")
    return 1 if failed else 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="release-gate", description=__doc__)
    parser.add_argument("--at-most", type=int, default=5000, help="workflows (5000)")
    run_main(judge(parser.parse_args().at_most))


if __name__ == "__main__":
    main()
