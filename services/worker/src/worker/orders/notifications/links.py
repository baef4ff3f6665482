"""The links in mails: to the shop's own pages, or to the customer's page with a signed
token for the one order."""

import time
from collections.abc import Sequence
from datetime import timedelta

from shared.platform.links import Link, LinkKeys

PROCESS = "orders"
TOKEN = "{token}"  # noqa: S105 - what a token is put in the place of


class Signer:
    """Signs tokens that let a customer act on one order without an account."""

    def __init__(
        self, keys: LinkKeys, lives: timedelta, actions: Sequence[str]
    ) -> None:
        self._keys = keys
        self._seconds = lives.total_seconds()
        self._actions = tuple(actions)

    def sign(self, order_id: str, language: str, revision: int) -> str:
        """A token, without personal data. `revision` is `ADDRESS_REVISION`."""
        return self._keys.sign(
            Link(
                process=PROCESS,
                subject=order_id,
                actions=self._actions,
                language=language,
                until=time.time() + self._seconds,
                revision=revision,
            )
        )


class Links:
    """`order_url` is the page of an order, with `{order_id}` in it, and `return_url`
    that of a return's label, with `{return_id}`. The `signer` signs what stands for
    `{token}` in them. They are the only links in a mail, whatever a customer has
    sent."""

    def __init__(
        self, order_url: str, return_url: str | None, signer: Signer | None
    ) -> None:
        self._order_url = order_url
        self._return_url = return_url
        self._signer = signer

    def for_mail(self, order_id: str, language: str, revision: int) -> "MailLinks":
        token = ""
        if self._signer is not None:
            token = self._signer.sign(order_id, language, revision)
        return MailLinks(
            self._order_url.replace("{order_id}", order_id).replace(TOKEN, token),
            self._return_url and self._return_url.replace(TOKEN, token),
        )


class MailLinks:
    """The links of one mail."""

    def __init__(self, order: str, return_url: str | None) -> None:
        self.order = order
        self._return_url = return_url

    def label(self, return_id: str) -> str | None:
        """The page that prints a label; nothing if the shop has no such page."""
        return self._return_url and self._return_url.replace("{return_id}", return_id)
