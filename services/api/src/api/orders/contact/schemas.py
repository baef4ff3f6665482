"""Contacts over HTTP."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import model_validator

from api.http.schemas import (
    Address,
    Country,
    Email,
    Line,
    Locale,
    Phone,
    Request,
    View,
    Word,
    examples,
)
from api.orders.order.schemas import EXAMPLE_ADDRESS

NEEDED = ("name", "street", "country")
WHOLE = {*NEEDED, "city", "postal_code"}
"""Whoever names all of these gives a new address; who names fewer corrects the old
one."""


class AddressPatch(Request):
    """A complete address replaces the old one. Single fields change only themselves;
    `null` removes a field."""

    name: Line | None = None
    company: Line | None = None
    street: Line | None = None
    street2: Line | None = None
    city: Line | None = None
    region: Line | None = None
    postal_code: Word | None = None
    country: Country | None = None

    @model_validator(mode="after")
    def _keeps_what_is_needed(self) -> "AddressPatch":
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        _require_values(self, *NEEDED)
        return self


class ContactPatch(Request):
    """`null` removes the phone or the locale; without a `bill_to` of its own the bill
    goes to `ship_to`."""

    name: Line | None = None
    email: Email | None = None
    phone: Phone | None = None
    locale: Locale | None = None
    ship_to: AddressPatch | None = None
    bill_to: AddressPatch | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "ContactPatch":
        if not self.model_fields_set:
            raise ValueError("must name at least one field")
        _require_values(self, "name", "email", "ship_to")
        return self

    model_config = examples(
        {"ship_to": EXAMPLE_ADDRESS},
        {"ship_to": {"postal_code": "10117"}, "phone": None},
    )


def _require_values(patch: Request, *names: str) -> None:
    """`null` would remove what must be there."""
    for name in names:
        if name in patch.model_fields_set and getattr(patch, name) is None:
            raise ValueError(f"cannot be without {name}")


class Contact(View):
    """`ship_to_accepted`: a person confirmed the address although the check had failed.
    `wrong` is what cannot be right in `ship_to` by the rules of its country, such as
    `postal_code: invalid`; a carrier may refuse more. After an erasure only `erased_at`
    is left."""

    order_id: str
    name: str | None
    email: str | None
    phone: str | None
    locale: str | None
    ship_to: Address | None
    bill_to: Address | None
    ship_to_accepted: bool
    erased_at: datetime | None
    wrong: Sequence[str] = ()
