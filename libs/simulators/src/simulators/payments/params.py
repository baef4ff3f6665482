"""Typed access to a request's parameters, refusing what Stripe refuses."""

from collections.abc import Iterable
from typing import Any

from simulators.payments.answers import Json, invalid

LARGEST_AMOUNT = 999_999_999_999
METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


class Params:
    def __init__(self, values: Json) -> None:
        self.values = values

    def only(self, *known: str) -> None:
        """Refuse parameters that the endpoint does not have: a typo must not pass."""
        for name in self.values:
            if name not in (*known, "expand"):
                raise invalid(
                    f"Received unknown parameter: {name}", name, "parameter_unknown"
                )

    def has(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid("Invalid string", param=name)
        if not value:
            raise invalid(
                f"You passed an empty string for '{name}'. Leave it out instead.",
                *(name, "parameter_invalid_empty"),
            )
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        return None if value is None else _integer(name, value)

    def amount(self, name: str) -> int | None:
        """Minor units, at least 1."""
        value = self.integer(name)
        if value is not None and not 1 <= value <= LARGEST_AMOUNT:
            raise invalid(
                f"Invalid amount: {name} must be from 1 to {LARGEST_AMOUNT}.",
                *(name, "parameter_invalid_integer"),
            )
        return value

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=name)
        return default if value is None else value == "true"

    def choice(self, name: str, options: Iterable[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in options:
            listed = ", ".join(options)
            raise invalid(f"Invalid {name}: must be one of {listed}", param=name)
        return value

    def currency(self, name: str) -> str:
        value = self.required(name).lower()
        if not (len(value) == 3 and value.isascii() and value.isalpha()):
            raise invalid(f"Invalid currency: {value}.", param=name)
        return value

    def texts(self, name: str) -> list[str]:
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise invalid("Invalid array", param=name)
        return value

    def nested(self, name: str) -> Json:
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise invalid("Invalid object", param=name)
        return value

    def metadata(self, before: Json | None = None) -> dict[str, str]:
        """`before` changed as asked: an empty value unsets a key, an empty hash all."""
        if self.values.get("metadata") == "":
            return {}
        changes = self._keyed("metadata")
        for key, value in changes.items():
            _check_metadata(key, value)
        kept = {k: v for k, v in {**(before or {}), **changes}.items() if v != ""}
        if len(kept) > METADATA_KEYS:
            raise invalid(f"Metadata has more than {METADATA_KEYS} keys.", "metadata")
        return kept

    def _keyed(self, name: str) -> Json:
        # The form decoder takes the keys 0, 1, 2 and so on for a list.
        value = self.values.get(name, {})
        if isinstance(value, list):
            return {str(index): item for index, item in enumerate(value)}
        return self.nested(name)

    def range(self, name: str) -> list[tuple[str, int]]:
        """`created=5` or `created[gte]=5` as comparisons: `[(">=", 5)]`."""
        if not self.has(name):
            return []
        if isinstance(self.values[name], str):
            return [("=", _integer(name, self.values[name]))]
        operators = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        comparisons = self.nested(name)
        for operator in comparisons:
            if operator not in operators:
                raise invalid(f"Invalid operator: {operator}", param=name)
        return [(operators[o], _integer(name, v)) for o, v in comparisons.items()]


def _integer(name: str, value: Any) -> int:
    # int() alone would accept " 5", "5_0" and other alphabets' digits.
    digits = str(value).removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise invalid(f"Invalid integer: {value}", name, "parameter_invalid_integer")
    return int(value)


def _check_metadata(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise invalid("Metadata values must be strings.", f"metadata[{key}]")
    if len(key) > METADATA_KEY_LENGTH:
        raise invalid(
            f"Metadata keys have at most {METADATA_KEY_LENGTH} characters.", "metadata"
        )
    if len(value) > METADATA_VALUE_LENGTH:
        raise invalid(
            f"Metadata values have at most {METADATA_VALUE_LENGTH} characters.",
            f"metadata[{key}]",
        )
