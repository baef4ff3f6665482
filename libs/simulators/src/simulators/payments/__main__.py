"""`python -m simulators.payments`: a payment provider on this machine."""

from simulators.database import Database
from simulators.payments.app import payment_simulator
from simulators.payments.provider import Terms
from simulators.server import serve, simulator_options


def main() -> None:
    parser = simulator_options(
        "payments", "A payment provider that speaks Stripe's API."
    )
    parser.add_argument(
        "--expiring-seconds",
        type=float,
        default=60.0,
        help="life of an authorisation on pm_card_expiring (default 60)",
    )
    parser.add_argument(
        "--refund-seconds",
        type=float,
        default=2.0,
        help="until a refund that settles later does (default 2)",
    )
    parser.add_argument(
        "--enabled-events",
        nargs="+",
        metavar="TYPE",
        help="the events that the receiver subscribes to (default all)",
    )
    options = parser.parse_args()
    simulator = payment_simulator(
        Database(options.data),
        Terms(options.expiring_seconds, options.refund_seconds),
        options.webhook_url,
        options.webhook_secret,
        options.enabled_events,
    )
    serve(simulator, options.host, options.port)


if __name__ == "__main__":
    main()
