"""`worker`, or `python -m worker`: the Temporal worker, and what a release needs."""

import argparse
from collections.abc import Coroutine
from typing import Any

from shared.platform.logging import configure_logging
from shared.platform.main import run_main, stop_event
from shared.platform.settings import load_settings
from shared.platform.settings_help import help_text
from shared.platform.telemetry import start_tracing
from shared.platform.version import version

from worker.orders.registration import REGISTRATION as ORDERS
from worker.releasing import release_command, replay_command
from worker.runtime.postgresql import POSTGRESQL
from worker.runtime.service import WorkerService
from worker.settings import WorkerSettings
from worker.webhooks.registration import REGISTRATION as WEBHOOKS

PROCESSES = [ORDERS, WEBHOOKS]


async def work() -> int:
    settings = load_settings(WorkerSettings)
    configure_logging(settings, service="worker")
    stop_tracing = start_tracing(settings, service="worker")
    try:
        service = WorkerService(settings, PROCESSES, POSTGRESQL)
        return await service.run(stop_event())
    finally:
        stop_tracing()


def main() -> None:
    run_main(command(parser().parse_args()))


def command(arguments: argparse.Namespace) -> Coroutine[Any, Any, int]:
    """The command to run; it returns the exit status."""
    match arguments.command:
        case "replay":
            workflows = [one for process in PROCESSES for one in process.workflows]
            return replay_command.run(arguments, workflows)
        case "release":
            return release_command.run(arguments)
        case _:
            return work()


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="worker",
        description="Run the Temporal worker of the order services.",
        epilog=help_text(WorkerSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="work until asked to stop; the default")
    replay_command.add_to(commands)
    release_command.add_to(commands)
    return parser


if __name__ == "__main__":
    main()
