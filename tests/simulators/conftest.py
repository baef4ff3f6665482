"""One simulator of each kind for a test process, with a receiver of its webhooks."""

from collections.abc import AsyncIterator

import pytest

from tests.simulators.parcels import Parcels
from tests.simulators.process import SimulatorProcess, running
from tests.simulators.receiver import Receiver, receiving
from tests.simulators.shop import Shop, plain_http

WEBHOOK_SECRET = "whsec_c2ltdWxhdG9yLXRlc3Rz"


@pytest.fixture(scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
async def payments(
    receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SimulatorProcess]:
    data = tmp_path_factory.mktemp("payments") / "payments.sqlite"
    async with running(
        *("payments", data, "--refund-seconds", "3600"),
        *("--webhook-url", receiver.url, "--webhook-secret", WEBHOOK_SECRET),
    ) as simulator:
        yield simulator


@pytest.fixture(scope="session")
async def carrier(
    receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SimulatorProcess]:
    data = tmp_path_factory.mktemp("carrier") / "carrier.sqlite"
    async with running(
        *("carrier", data, "--no-auto"),
        *("--webhook-url", receiver.url, "--webhook-secret", WEBHOOK_SECRET),
    ) as simulator:
        yield simulator


@pytest.fixture
async def shop(payments: SimulatorProcess) -> AsyncIterator[Shop]:
    """A shop with an account of its own; faults end with the test."""
    async with Shop.open(payments.url) as shop:
        yield shop
        await shop.control.delete("/_sim/faults")


@pytest.fixture
async def parcels(carrier: SimulatorProcess) -> AsyncIterator[Parcels]:
    """A client of the carrier; faults end with the test."""
    async with plain_http(carrier.url) as http:
        yield Parcels(http)
        await http.delete("/_sim/faults")
