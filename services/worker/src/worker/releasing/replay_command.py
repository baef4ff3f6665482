"""`worker replay`: look before a release."""

import argparse
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from shared.platform.encryption import data_converter
from shared.platform.settings import TemporalSettings, load_settings

from worker.releasing.problems import CannotTell
from worker.releasing.reaching import reaching
from worker.releasing.replaying import Replayed, newest, recorded, replay

DESCRIPTION = """\
Replay histories with this code: can it go on with what other code began?

  worker replay --live           what is in the namespace (TEMPORAL_HOST, …)
  worker replay tests/histories  what was recorded, in files or directories

It only reads. Exit status: 0 all go on, 1 some could not, 2 nothing could be looked at.
"""

BROKEN = 1
NOTHING_LOOKED_AT = 2


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "replay",
        help="can this code go on with what other code began?",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--live", action="store_true", help="the histories in the namespace"
    )
    source.add_argument(
        "paths", nargs="*", type=Path, default=[], help="recorded histories (*.json)"
    )
    live = parser.add_argument_group("with --live")
    live.add_argument(
        "--limit",
        type=int,
        default=200,
        help="how many of the newest of each workflow type (%(default)s)",
    )
    live.add_argument("--open", action="store_true", help="only what has not ended yet")
    live.add_argument(
        "--pinned",
        action="store_true",
        help="also what stays on the build it began on, and never meets this code",
    )


async def run(arguments: argparse.Namespace, workflows: Sequence[type]) -> int:
    try:
        return await _run(arguments, workflows)
    except CannotTell as why:
        print(why, file=sys.stderr)
        return NOTHING_LOOKED_AT


async def _run(arguments: argparse.Namespace, workflows: Sequence[type]) -> int:
    settings = load_settings(TemporalSettings)
    read = partial(
        replay,
        workflows=workflows,
        converter=data_converter(settings),
        namespace=settings.temporal_namespace,
    )
    if arguments.paths:
        return await _judge(read(recorded(arguments.paths)))
    async with reaching(settings) as client:
        histories = newest(
            client,
            workflows,
            arguments.limit,
            only_open=arguments.open,
            pinned=arguments.pinned,
        )
        return await _judge(read(histories))


async def _judge(results: AsyncIterator[Replayed]) -> int:
    looked_at: Counter[str] = Counter()
    broken: list[Replayed] = []
    async for result in results:
        looked_at[result.type] += 1
        if result.failure is not None:
            broken.append(result)
            print(f"{result.type} {result.workflow} (run {result.run})")
            print(f"  {result.failure}")
    for advice in sorted({result.advice for result in broken}):
        print(f"\n{advice}")
    types = ", ".join(f"{n} {type}" for type, n in sorted(looked_at.items()))
    print(f"\n{looked_at.total()} replayed ({types or 'none'}), {len(broken)} broke")
    return BROKEN if broken else 0
