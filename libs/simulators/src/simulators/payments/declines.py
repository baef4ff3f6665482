"""What a bank's no looks like."""

from simulators.payments.answers import Json
from simulators.payments.objects import public

MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "authentication_required": "Your card was declined: this transaction requires"
    " authentication.",
}
# Decline codes that are error codes of their own; the others are `card_declined`.
OWN_CODES = ("expired_card", "authentication_required")


def error_code(decline_code: str) -> str:
    return decline_code if decline_code in OWN_CODES else "card_declined"


def decline_error(decline_code: str, charge: Json, method: Json) -> Json:
    return {
        "type": "card_error",
        "code": error_code(decline_code),
        "decline_code": decline_code,
        "message": MESSAGES[decline_code],
        "charge": charge["id"],
        "payment_method": public(method),
    }
