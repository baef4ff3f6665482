"""`python -m simulators.carrier`: a parcel carrier on this machine."""

import argparse
import logging
import os

from simulators.carrier.app import carrier_simulator
from simulators.carrier.courier import Round
from simulators.database import Database
from simulators.server import serve, simulator_options


def main() -> None:
    parser = simulator_options("carrier", "A carrier: labels, trackers, webhooks.")
    parser.add_argument(
        "--auto",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="collect and deliver what the orders API lists as shipped",
    )
    parser.add_argument("--orders-api", metavar="URL", help="needed by --auto")
    parser.add_argument(
        "--token",
        default=os.environ.get("DEV_TOKEN"),
        help="bearer token for the orders API (or $DEV_TOKEN)",
    )
    parser.add_argument(
        "--step-seconds",
        type=float,
        default=0.5,
        help="between two looks and between two scans (default 0.5)",
    )
    options = parser.parse_args()
    if options.auto and not options.orders_api:
        parser.error("--auto needs --orders-api; or give --no-auto")
    if options.step_seconds <= 0:
        parser.error("--step-seconds must be more than 0")
    logging.basicConfig(format="%(levelname)s %(message)s")
    way = Round(options.orders_api, options.token, options.step_seconds)
    simulator = carrier_simulator(
        Database(options.data),
        way if options.auto else None,
        options.webhook_url,
        options.webhook_secret,
    )
    serve(simulator, options.host, options.port)


if __name__ == "__main__":
    main()
