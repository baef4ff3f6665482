"""Mails the shop's staff what cannot wait until they look."""

from collections.abc import Mapping

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.messages import STAFF_EVENTS

from worker.orders.notifications.addressee import addressee_of
from worker.orders.notifications.rendering import Renderer
from worker.runtime.mail import Mail, Mailer
from worker.runtime.registry import Message, MessageHandler


class Staff:
    """`address` is `None` if nobody wants mails."""

    def __init__(self, mailer: Mailer, renderer: Renderer, address: str | None) -> None:
        self._mailer = mailer
        self._renderer = renderer
        self._address = address

    def handlers(self) -> Mapping[str, MessageHandler]:
        return dict.fromkeys(STAFF_EVENTS, self.notify)

    async def notify(self, message: Message) -> bool:
        """Send one mail. Returns `False` if there is no address. Safe to repeat: the
        Message-ID stays the same."""
        if self._address is None:
            return False
        order = addressee_of(message).order
        rendered = self._renderer.render(
            message.type,
            {
                "order": order,
                "amount": message.data["amount"],
                "hold": order.hold(HoldReason.DISPUTE),
            },
            locale=None,
            currency=order.currency,
        )
        await self._mailer.send(
            Mail(
                key=message.key,
                name="",
                address=self._address,
                at=message.at,
                subject=rendered.subject,
                text=rendered.text,
                html=rendered.html,
            )
        )
        return True
