"""The provider's word against ours, before it is booked. Pure; minor units.

Whoever else has the account may capture, refund or cancel what we asked for. What the
provider answers is therefore compared with what we would book, in amount, currency and
state; where they differ, a person decides before the goods leave.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.database.orders.snapshot import LedgerRow, Payment

from worker.orders.ports import ProviderPayment, ProviderRefund


@dataclass(frozen=True)
class Sums:
    """What the provider holds, has captured and has refunded of one payment. `None`:
    not queried."""

    held: int | None = None
    captured: int | None = None
    refunded: int | None = None


Difference = Mapping[str, Mapping[str, int]]
"""`{"captured": {"ledger": 0, "provider": 100}}`"""


def differences(ours: Sums, theirs: Sums) -> Difference:
    pairs = {
        "held": (ours.held, theirs.held),
        "captured": (ours.captured, theirs.captured),
        "refunded": (ours.refunded, theirs.refunded),
    }
    return {
        name: {"ledger": own or 0, "provider": other}
        for name, (own, other) in pairs.items()
        if other is not None and own != other
    }


def authorized_as_asked(row: LedgerRow, currency: str, answer: ProviderPayment) -> bool:
    whole = (answer.authorized, answer.captured) == (row.amount, 0)
    return whole and _same(currency, answer.currency)


def captured_as_asked(
    payment: Payment, row: LedgerRow, currency: str, answer: ProviderPayment
) -> bool:
    taken = answer.captured == payment.captured + row.amount
    return taken and _same(currency, answer.currency)


def released_as_asked(payment: Payment, answer: ProviderPayment) -> bool:
    return answer.captured == payment.captured and answer.authorized == 0


def refunded_as_asked(row: LedgerRow, currency: str, answer: ProviderRefund) -> bool:
    return answer.amount == row.amount and _same(currency, answer.currency)


def as_answered(answer: ProviderPayment) -> Sums:
    return Sums(held=answer.authorized, captured=answer.captured)


def as_booked(payment: Payment) -> Sums:
    return Sums(held=payment.held, captured=payment.captured)


def _same(ours: str, theirs: str) -> bool:
    return ours.upper() == theirs.upper()
