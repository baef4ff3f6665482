"""What Stripe takes of a currency (docs.stripe.com/currencies): the smallest and the
largest charge, and amounts that it cannot pass on to the networks."""

from simulators.payments.answers import Json, StripeError, invalid, refused

ZERO_DECIMAL = frozenset(
    [
        "bif",
        "clp",
        "djf",
        "gnf",
        "jpy",
        "kmf",
        "krw",
        "mga",
        "pyg",
        "rwf",
        "vnd",
        "vuv",
        "xaf",
        "xof",
        "xpf",
    ]
)
THREE_DECIMAL = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])
"""The last digit must be 0."""
WHOLE_IN_HUNDREDTHS = frozenset(("isk", "ugx"))
"""Have no smaller unit, and are counted in hundredths all the same."""
OTHERS = frozenset(
    [
        "aed",
        "afn",
        "all",
        "amd",
        "ang",
        "aoa",
        "ars",
        "aud",
        "awg",
        "azn",
        "bam",
        "bbd",
        "bdt",
        "bgn",
        "bmd",
        "bnd",
        "bob",
        "brl",
        "bsd",
        "bwp",
        "byn",
        "bzd",
        "cad",
        "cdf",
        "chf",
        "cny",
        "cop",
        "crc",
        "cve",
        "czk",
        "dkk",
        "dop",
        "dzd",
        "egp",
        "etb",
        "eur",
        "fjd",
        "fkp",
        "gbp",
        "gel",
        "gip",
        "gmd",
        "gtq",
        "gyd",
        "hkd",
        "hnl",
        "htg",
        "huf",
        "idr",
        "ils",
        "inr",
        "jmd",
        "kes",
        "kgs",
        "khr",
        "kyd",
        "kzt",
        "lak",
        "lbp",
        "lkr",
        "lrd",
        "lsl",
        "mad",
        "mdl",
        "mkd",
        "mmk",
        "mnt",
        "mop",
        "mur",
        "mvr",
        "mwk",
        "mxn",
        "myr",
        "mzn",
        "nad",
        "ngn",
        "nio",
        "nok",
        "npr",
        "nzd",
        "pab",
        "pen",
        "pgk",
        "php",
        "pkr",
        "pln",
        "qar",
        "ron",
        "rsd",
        "rub",
        "sar",
        "sbd",
        "scr",
        "sek",
        "sgd",
        "shp",
        "sle",
        "sos",
        "srd",
        "std",
        "szl",
        "thb",
        "tjs",
        "top",
        "try",
        "ttd",
        "twd",
        "tzs",
        "uah",
        "usd",
        "uyu",
        "uzs",
        "wst",
        "xcd",
        "yer",
        "zar",
        "zmw",
    ]
)
SUPPORTED = ZERO_DECIMAL | THREE_DECIMAL | WHOLE_IN_HUNDREDTHS | OTHERS

SMALLEST = {
    **dict.fromkeys(("usd", "aud", "brl", "cad", "chf", "eur", "inr", "nzd"), 50),
    **{"sgd": 50, "aed": 200, "bgn": 100, "czk": 1500, "dkk": 250, "gbp": 30},
    **{"hkd": 400, "huf": 17_500, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300},
    **{"pln": 200, "ron": 200, "sek": 300, "thb": 1000},
}
LARGEST_DIGITS = {"cop": 10, "huf": 10, "idr": 12, "inr": 9, "jpy": 10, "lbp": 12}
USUAL_DIGITS = 8


def check_charge(currency: str, amount: int) -> None:
    """Raises StripeError for a currency or an amount that cannot be charged."""
    if currency not in SUPPORTED:
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    check_step(currency, amount)
    smallest = SMALLEST.get(currency, 1)
    if amount < smallest:
        message = f"Amount must be at least {smallest} {currency}"
        raise _unfit("amount_too_small", message)
    if len(str(amount)) > LARGEST_DIGITS.get(currency, USUAL_DIGITS):
        raise _unfit("amount_too_large", "Amount has too many digits")


def check_step(currency: str, amount: int, param: str = "amount") -> None:
    """Of a charge, a capture and a refund alike."""
    step = 10 if currency in THREE_DECIMAL else 1
    step = 100 if currency in WHOLE_IN_HUNDREDTHS else step
    if amount % step:
        raise refused(
            f"Invalid amount: {currency} needs multiples of {step}.", param=param
        )


def check_step_of(thing: Json, amount: int | None, param: str = "amount") -> None:
    if amount is not None:
        check_step(thing["currency"], amount, param)


def _unfit(code: str, message: str) -> StripeError:
    return refused(message, code=code, param="amount")
