"""Which amounts the payment provider charges in each currency, so that a price or an
order is refused early and not at the card.

Source: docs.stripe.com/currencies. In ISO 4217's units. For ISK, UGX and MGA the
provider's unit differs from ISO 4217's, which would charge a hundredth or the
hundredfold, so they are not accepted.
"""

from dataclasses import dataclass

DEFAULT_DIGITS = 8


@dataclass(frozen=True)
class Charging:
    """Amounts from `smallest` to `largest`, in multiples of `step`. The smallest are
    those of accounts that are paid out in the same currency."""

    smallest: int = 1
    largest: int = 10**DEFAULT_DIGITS - 1
    step: int = 1


_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD
    BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP
    GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD JOD JPY KES KGS KHR KMF
    KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SEK SGD SHP SLE SOS SRD STD SZL THB TJS TND TOP TRY TTD TWD TZS UAH USD UYU UZS
    VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
"""
_SMALLEST = {
    **dict.fromkeys(
        ["AUD", "BRL", "CAD", "CHF", "EUR", "INR", "NZD", "SGD", "USD"], 50
    ),
    **{"AED": 200, "BGN": 100, "CZK": 1500, "DKK": 250, "GBP": 30, "HKD": 400},
    **{"HUF": 17_500, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "PLN": 200},
    **{"RON": 200, "SEK": 300, "THB": 1000},
}
_DIGITS = {"COP": 10, "HUF": 10, "IDR": 12, "INR": 9, "JPY": 10, "LBP": 12}
_LAST_DIGIT_ZERO = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])
"""Three decimals, of which card networks support two."""

_TABLE = {
    code: Charging(
        smallest=_SMALLEST.get(code, 10 if code in _LAST_DIGIT_ZERO else 1),
        largest=10 ** _DIGITS.get(code, DEFAULT_DIGITS) - 1,
        step=10 if code in _LAST_DIGIT_ZERO else 1,
    )
    for code in _CODES.split()
}


def charging(currency: str) -> Charging | None:
    """`None` for an unknown currency, or one that the provider counts differently."""
    return _TABLE.get(currency)


def fits(currency: str, amount: int) -> bool:
    """Whether a part of a charge, or of a refund, may be of this amount."""
    rule = charging(currency)
    return rule is not None and amount % rule.step == 0


def chargeable(currency: str, amount: int) -> bool:
    """Whether a charge of its own may be of this amount."""
    rule = charging(currency)
    within = rule is not None and rule.smallest <= amount <= rule.largest
    return within and fits(currency, amount)
