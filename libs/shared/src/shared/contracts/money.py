"""How a line's total is divided among its units."""


def share(total: int, quantity: int, before: int, units: int) -> int:
    """The price, in minor units, of `units` more of `quantity` after `before`.

    Any way of splitting a line into parts sums to its total to the cent:
    `share(1000, 3, 0, 1) + share(1000, 3, 1, 2) == 1000`. docs/domain.md, M5.
    """
    return total * (before + units) // quantity - total * before // quantity


def tax_included(total: int, basis_points: int) -> int:
    """The tax within a gross `total` at a rate in basis points (1900 is 19 %)."""
    return total * basis_points // (10_000 + basis_points)


_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}


def decimals(currency: str) -> int:
    """Places of the minor unit by ISO 4217: `decimals("JPY") == 0`, and 2 for most. Not
    by CLDR, which counts what people pay in: no para in Serbia, no qindarka in Albania.
    """
    listed = (n for n, names in _DECIMALS.items() if currency in names.split())
    return next(listed, 2)
