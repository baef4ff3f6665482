"""The test cards: how each magic payment method behaves.

Names are Stripe's own test names where it has one. Those marked "ours" behave in ways
that Stripe's sandbox cannot be made to show.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Card:
    """A card that does what is asked, but for the fields set.

    decline: decline code of every authorisation.
    off_session_decline: decline code where the customer is not there.
    authentication: when the customer must confirm with their bank; "unless_saved" asks
        no more once the card is attached to a customer. Off session it is a decline.
    multicapture: the network allows several captures, if the intent requests it.
    captures: whether captures go through.
    refunds: "pending" ones succeed later, "failing" ones succeed and fail later.
    expires_soon: the authorisation ends after the simulator's `--expiring-seconds`.
    dispute: for what reason the customer disputes the payment as soon as it is
        captured; "inquiry" only asks.
    """

    brand: str = "visa"
    last4: str = "4242"
    decline: str | None = None
    off_session_decline: str | None = None
    authentication: Literal["never", "unless_saved", "always"] = "never"
    multicapture: bool = False
    captures: bool = True
    refunds: Literal["at_once", "pending", "failing"] = "at_once"
    expires_soon: bool = False
    dispute: Literal["fraudulent", "product_not_received", "inquiry"] | None = None


_NO_FUNDS = Card(last4="9995", decline="insufficient_funds")
_DECLINED = Card(last4="0002", decline="generic_decline")

CARDS = {
    "pm_card_visa": Card(),
    "pm_card_mastercard": Card(brand="mastercard", last4="4444"),
    "pm_card_chargeDeclined": _DECLINED,
    "pm_card_visa_chargeDeclined": _DECLINED,
    "pm_card_chargeDeclinedInsufficientFunds": _NO_FUNDS,
    "pm_card_visa_chargeDeclinedInsufficientFunds": _NO_FUNDS,
    "pm_card_chargeDeclinedExpiredCard": Card(last4="0069", decline="expired_card"),
    "pm_card_authenticationRequired": Card(last4="3184", authentication="always"),
    "pm_card_authenticationRequiredOnSetup": Card(
        last4="3155", authentication="unless_saved"
    ),
    "pm_card_threeDSecure2Required": Card(last4="3220", authentication="always"),
    "pm_card_refundFail": Card(last4="5126", refunds="failing"),
    "pm_card_pendingRefund": Card(last4="7726", refunds="pending"),
    "pm_card_createDispute": Card(last4="0259", dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Card(
        last4="2685", dispute="product_not_received"
    ),
    "pm_card_createDisputeInquiry": Card(last4="1976", dispute="inquiry"),
    # Ours.
    "pm_card_visa_multicapture": Card(last4="1001", multicapture=True),
    "pm_card_captureFails": Card(last4="1002", captures=False),
    "pm_card_expiring": Card(last4="1003", expires_soon=True),
    "pm_card_declineOffSession": Card(
        last4="1004", off_session_decline="generic_decline"
    ),
}
