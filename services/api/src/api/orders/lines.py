"""Lines of an order, from a request to a command."""

from collections.abc import Iterable
from typing import Protocol

from shared.contracts import base


class Units(Protocol):
    @property
    def line(self) -> int: ...

    @property
    def quantity(self) -> int: ...


def of_command(lines: Iterable[Units] | None) -> tuple[base.LineQuantity, ...]:
    """The units by line for a command; lines with zero units are left out."""
    return tuple(
        base.LineQuantity(line=item.line, quantity=item.quantity)
        for item in lines or ()
        if item.quantity
    )
