"""Works out how much of a price is tax. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.money import tax_included
from shared.contracts.orders.charging import fits
from shared.database.orders.snapshot import Tax

from api.http.problems import invalid
from api.orders.order.schemas import NewTax, TaxTreatment


@dataclass(frozen=True)
class Taxed:
    """The charged amount and its tax: at a rate, or as given."""

    total: int
    tax: int = 0
    tax_bp: int | None = 0
    taxes: tuple[Tax, ...] = ()


@dataclass(frozen=True)
class TaxRules:
    """The rules for the taxes of an order."""

    treatment: TaxTreatment
    currency: str

    def taxed(
        self,
        pointer: str,
        amount: int,
        given: Sequence[NewTax] | None,
        tax_bp: int | None,
    ) -> Taxed:
        """An amount with the taxes that were `given` for it, else with that of a rate.
        Raises `Problem`, which names it by its `pointer`."""
        if self.treatment == "exempt":
            if given:
                raise invalid(f"{pointer}/taxes", "not-allowed", "The order is exempt")
            return Taxed(amount)
        if given is None and self.treatment == "included":
            return Taxed(amount, tax_included(amount, tax_bp or 0), tax_bp)
        taxes = tuple(
            Tax(name=tax.name, rate=tax.rate, amount=tax.amount.amount)
            for tax in given or ()
        )
        tax = sum(tax.amount for tax in taxes)
        total = amount + tax if self.treatment == "added" else amount
        self._check(f"{pointer}/taxes", total, tax)
        return Taxed(total, tax, None if taxes else 0, taxes)

    def _check(self, pointer: str, total: int, tax: int) -> None:
        if tax > total:
            raise invalid(
                pointer, "less_than_equal", f"{tax} of {total} leave less than nothing"
            )
        if not fits(self.currency, total):
            raise invalid(
                pointer, "multiple_of", f"Nobody can be charged {total} with them"
            )
