"""Made-up customers, each with a valid address."""

from dataclasses import dataclass
from random import Random
from typing import Any

_FIRST_NAMES = (
    *("Ada", "Ben", "Carla", "David", "Elena", "Farid", "Greta", "Hanna", "Ivo"),
    *("Jana", "Karim", "Lena", "Milan", "Nora", "Oskar", "Paula", "Quentin"),
    *("Rosa", "Samir", "Tilda", "Umut", "Vera", "Wim", "Xenia", "Yara", "Zoe"),
)
_LAST_NAMES = (
    *("Abel", "Bauer", "Conrad", "Dietz", "Ebert", "Falk", "Gruber", "Hansen"),
    *("Iversen", "Jansen", "Keller", "Lorenz", "Moreau", "Novak", "Ohm", "Peters"),
    *("Quandt", "Richter", "Sommer", "Thiele", "Ulrich", "Vogt", "Weiss", "Zander"),
)
_STREETS = ("Lindenallee", "Hafenstrasse", "Am Markt", "Bergweg", "Parkring")
_PLACES = (
    ("Berlin", "10115", "DE"),
    ("Hamburg", "20095", "DE"),
    ("Leipzig", "04109", "DE"),
    ("Köln", "50667", "DE"),
    ("Wien", "1010", "AT"),
    ("Graz", "8010", "AT"),
    ("Paris", "75001", "FR"),
    ("Utrecht", "3511 AA", "NL"),
)


@dataclass(frozen=True)
class Customer:
    id: str
    contact: dict[str, Any]
    address: dict[str, Any]


def a_customer(number: int, chance: Random) -> Customer:
    """A customer; there are about as many as orders, so a few order more than once."""
    first, last = chance.choice(_FIRST_NAMES), chance.choice(_LAST_NAMES)
    city, postal_code, country = chance.choice(_PLACES)
    name = f"{first} {last}"
    return Customer(
        id=f"customer-{number:04}",
        contact={
            "name": name,
            "email": f"{first}.{last}.{number}@example.com".lower(),
            "phone": f"+49 30 5550{number:04}",
            "locale": "de" if country in ("DE", "AT") else "en",
        },
        address={
            "name": name,
            "street": f"{chance.choice(_STREETS)} {chance.randint(1, 99)}",
            "city": city,
            "postal_code": postal_code,
            "country": country,
        },
    )
