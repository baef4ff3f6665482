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
