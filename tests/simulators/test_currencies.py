"""What Stripe takes of each currency."""

import pytest
import stripe

from tests.simulators.shop import Shop


@pytest.mark.parametrize(
    ("currency", "amount", "code"),
    [
        ("eur", 49, "amount_too_small"),
        ("jpy", 49, "amount_too_small"),
        ("huf", 17_499, "amount_too_small"),
        ("eur", 100_000_000, "amount_too_large"),
        ("jpy", 10_000_000_000, "amount_too_large"),
        ("kwd", 1001, None),
        ("isk", 150, None),
        ("ugx", 150, None),
        ("xau", 5000, None),
        ("zzz", 5000, None),
    ],
)
async def test_an_amount_that_no_network_takes_is_refused(
    shop: Shop, currency: str, amount: int, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.intent(currency=currency, amount=amount)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("eur", 50), ("jpy", 9_999_999_999), ("kwd", 1010), ("isk", 500), ("mga", 500)],
)
async def test_an_amount_that_fits_is_charged(
    shop: Shop, currency: str, amount: int
) -> None:
    assert (await shop.intent(currency=currency, amount=amount)).amount == amount


async def test_a_part_must_fit_as_well(shop: Shop) -> None:
    intent = await shop.intent(currency="kwd", amount=5000)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.capture(intent, 1001)
    await shop.capture(intent, 1010)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.refund(intent, 101)
    assert (await shop.refund(intent, 110)).amount == 110
