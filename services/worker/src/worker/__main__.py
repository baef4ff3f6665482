"""`python -m worker`: run the Temporal worker of the order services."""

import argparse

from shared.platform.logging import configure_logging
from shared.platform.process import run_main, stop_event
from shared.platform.settings import load_settings
from shared.platform.version import version

from worker.orders.process import orders_process
from worker.runtime.service import WorkerService
from worker.settings import WorkerSettings

PROCESSES = [orders_process]


async def work() -> int:
    settings = load_settings(WorkerSettings)
    configure_logging(settings, service="worker")
    return await WorkerService(settings, PROCESSES).run(stop_event())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="worker",
        description="Run the Temporal worker of the order services.",
        epilog="It is set up by environment variables; docs/how-to/settings.md lists"
        " them. DATABASE_URL and STRIPE_API_KEY are required.",
    )
    parser.add_argument("--version", action="version", version=version())
    parser.parse_args()
    run_main(work())


if __name__ == "__main__":
    main()
