"""`python -m worker`: run the Temporal worker of the order services."""

import argparse

from shared.platform.logging import configure_logging
from shared.platform.process import run_main, stop_event
from shared.platform.settings import load_settings
from shared.platform.settings_help import help_text
from shared.platform.telemetry import start_tracing
from shared.platform.version import version

from worker.orders.figures import FIGURES
from worker.orders.process import orders_process
from worker.runtime.postgresql import POSTGRESQL
from worker.runtime.service import WorkerService
from worker.settings import WorkerSettings

PROCESSES = [orders_process]


async def work() -> int:
    settings = load_settings(WorkerSettings)
    configure_logging(settings, service="worker")
    stop_tracing = start_tracing(settings, service="worker")
    try:
        service = WorkerService(settings, PROCESSES, (*FIGURES, *POSTGRESQL))
        return await service.run(stop_event())
    finally:
        stop_tracing()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="worker",
        description="Run the Temporal worker of the order services.",
        epilog=help_text(WorkerSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version())
    parser.parse_args()
    run_main(work())


if __name__ == "__main__":
    main()
