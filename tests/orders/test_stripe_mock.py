"""Stripe's own mock checks each request against Stripe's published description.

It keeps nothing, so it says nothing about money: that is the simulator's part. Get it
by `go install github.com/stripe/stripe-mock@latest`.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from worker.orders.adapters.stripe import StripePayments
from worker.orders.ports import Authorization

GO_BIN = Path(os.environ.get("GOBIN") or Path.home() / "go" / "bin")
STRIPE_MOCK = shutil.which("stripe-mock") or shutil.which("stripe-mock", path=GO_BIN)

pytestmark = pytest.mark.skipif(
    STRIPE_MOCK is None, reason="stripe-mock is not installed (see the module)"
)


@pytest.fixture
async def stripe() -> AsyncIterator[StripePayments]:
    assert STRIPE_MOCK is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mock = await asyncio.create_subprocess_exec(
        *(STRIPE_MOCK, "-http-addr", f"127.0.0.1:{port}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    payments = StripePayments("sk_test_123", f"http://127.0.0.1:{port}")
    try:
        assert mock.stdout is not None
        while b"Listening" not in await mock.stdout.readline():
            assert mock.returncode is None
        yield payments
    finally:
        await payments.close()
        mock.terminate()
        await mock.communicate()


def an_authorization(*, off_session: bool) -> Authorization:
    return Authorization(
        order_id="ord_1",
        payment_id="pay_1",
        amount=1999,
        currency="EUR",
        method_ref="pm_card_visa",
        customer_ref="cus_1",
        off_session=off_session,
        return_url=None if off_session else "https://shop.example.com/paid",
    )


@pytest.mark.parametrize("off_session", [False, True])
async def test_stripe_understands_an_authorisation(
    stripe: StripePayments, off_session: bool
) -> None:
    wanted = an_authorization(off_session=off_session)
    assert (await stripe.authorize(wanted, "key-1")).ref.startswith("pi_")


async def test_stripe_understands_every_other_call(stripe: StripePayments) -> None:
    wanted = an_authorization(off_session=False)
    assert (await stripe.customer("anna")).startswith("cus_")
    assert await stripe.find(wanted, datetime.now(UTC)) is None
    assert (await stripe.payment("pi_1")).ref.startswith("pi_")
    for final in (True, False):
        captured = await stripe.capture(
            "pi_1", 999, final=final, what="shp_1", key=f"c-{final}"
        )
        assert captured.ref.startswith("pi_")
    assert (await stripe.release("pi_1", "key-2")).ref.startswith("pi_")
    refund = await stripe.refund("pi_1", 5, refund_id="ref_1", key="key-3")
    assert refund.ref.startswith("re_")
    assert await stripe.find_refund("pi_1", refund_id="ref_1", key="key-3") is None
