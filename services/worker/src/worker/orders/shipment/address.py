"""Handles addresses that cannot be right.

The check happens here and not in POST /v1/orders: a buyer who is refused at the last
step is gone, and a person may know better than the rules. So the order is accepted with
a wrong address, and a hold stops it before anything is promised or packed.
"""

from collections.abc import Mapping
from dataclasses import replace

from shared.contracts.errors import Refusal
from shared.contracts.orders.addresses import check_address
from shared.contracts.orders.holds import Decision, HoldReason, due_of
from shared.database.kernel.holds import place_hold
from shared.database.kernel.unit_of_work import UnitOfWork
from shared.database.orders.snapshot import Hold, OrderSnapshot
from shared.database.orders.tables import Contact
from shared.database.rows import Row
from sqlalchemy import text

from worker.orders.hold.effects import decides
from worker.orders.ports import Address, AddressRefused

CORRECTED = text(
    """
    SELECT EXISTS (
      SELECT FROM events WHERE subject = :order_id AND type = 'contact.changed'
        AND data -> 'fields' ? 'ship_to' AND at > :since)
    """
)


async def ask_for_address(change: UnitOfWork, cause: str, **detail: object) -> None:
    """Open an `address` hold. `detail` names fields, never their content."""
    await place_hold(
        change,
        HoldReason.ADDRESS,
        due_in=due_of(HoldReason.ADDRESS),
        detail={"cause": cause, **detail},
    )


# ── decisions ───────────────────────────────────────────────────────────────────


@decides(HoldReason.ADDRESS, Decision.CORRECT)
async def require_correction(
    change: UnitOfWork, order: OrderSnapshot, hold: Hold
) -> None:
    """`correct`: the corrected address is checked when the order goes on."""
    corrected = await change.connection.scalar(
        CORRECTED, {"order_id": order.id, "since": hold.placed_at}
    )
    if not corrected:
        raise Refusal(
            "decision-not-allowed", "Correct the address with PATCH …/contact first."
        )


@decides(HoldReason.ADDRESS, Decision.OVERRIDE)
async def accept(change: UnitOfWork, order: OrderSnapshot, hold: Hold) -> None:
    """`override`: this address is not checked again; the carrier has the last word."""
    await change.update(Contact, {"order_id": order.id}, ship_to_accepted=True)


# ── where it goes ───────────────────────────────────────────────────────────────


def read_address(ship_to: Mapping[str, str]) -> Address:
    """Read the address in the form of its country."""
    checked = check_address(ship_to)
    return Address(
        name=ship_to["name"],
        street=ship_to["street"],
        city=ship_to.get("city"),
        postal_code=checked.postal_code,
        country=ship_to["country"],
        company=ship_to.get("company"),
        street2=ship_to.get("street2"),
        region=ship_to.get("region"),
    )


def address_of(contact: Row) -> Address:
    """Read the address for the carrier; no payload carries it. Raises `AddressRefused`
    if it was erased, or became wrong, since the order was confirmed."""
    if contact.ship_to is None:
        raise AddressRefused("erased")
    wrong = () if contact.ship_to_accepted else check_address(contact.ship_to).wrong
    if wrong:
        raise AddressRefused("check-failed", wrong)
    return replace(read_address(contact.ship_to), phone=contact.phone)
