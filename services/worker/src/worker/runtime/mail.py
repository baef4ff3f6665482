"""Mails, independent of their kind and of how they are sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Mail:
    """`key` makes its Message-ID: sent again, it is the same."""

    key: str
    name: str
    address: str
    at: datetime
    subject: str
    text: str
    html: str


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Raises `Undeliverable` if trying again is of no use."""
        ...

    async def close(self) -> None: ...
