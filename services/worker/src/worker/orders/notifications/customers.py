"""Mails customers about their orders. No order waits for a mail."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TypeVar
from unicodedata import category

from shared.contracts.orders.holds import HOLDS, HoldReason
from shared.contracts.orders.messages import NOTIFIED_EVENTS
from shared.contracts.orders.states import OrderStatus
from shared.database.orders.snapshot import (
    Hold,
    OrderSnapshot,
    Refund,
    Return,
    Shipment,
)
from shared.platform.languages import DEFAULT_LANGUAGE

from worker.orders.notifications.addressee import addressee_of
from worker.orders.notifications.links import Links, MailLinks
from worker.orders.notifications.mail_limit import MailLimit
from worker.orders.notifications.rendering import Renderer
from worker.runtime.mail import Mail, Mailer
from worker.runtime.registry import Message, MessageHandler

R = TypeVar("R", Shipment, Return, Refund, Hold)

LONGEST_GREETING = 60


class Customers:
    """`links` are the only ones in a mail, whatever a customer has sent. `stock_held`
    is how long an order keeps its stock without money; `limit` is on mails to one
    address."""

    def __init__(
        self,
        mailer: Mailer,
        renderer: Renderer,
        links: Links,
        stock_held: timedelta,
        limit: MailLimit,
    ) -> None:
        self._limit = limit
        self._mailer = mailer
        self._renderer = renderer
        self._links = links
        self._minutes = math.ceil(stock_held.total_seconds() / 60)

    def handlers(self) -> Mapping[str, MessageHandler]:
        return dict.fromkeys(NOTIFIED_EVENTS, self.notify)

    async def notify(self, message: Message) -> bool:
        """Send one mail. Returns `False` if it is out of date, or has no addressee.
        Safe to repeat: the Message-ID stays the same."""
        known = addressee_of(message)
        order = known.order
        template = template_for(message, order)
        if template is None or known.email is None:
            return False
        name = greeted_as(known.name)
        language = known.locale or DEFAULT_LANGUAGE
        links = self._links.for_mail(order.id, language, known.revision)
        rendered = self._renderer.render(
            template,
            _context(message, order)
            | {
                "name": name,
                "label_link": _label_link(message, order, links),
                "link": links.order,
                "minutes": self._minutes,
            },
            locale=known.locale,
            currency=order.currency,
        )
        mail = Mail(
            key=message.key,
            name=name,
            address=known.email,
            at=message.at,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
        )
        async with self._limit.counting(mail.address):
            await self._mailer.send(mail)
        return True


def _label_link(message: Message, order: OrderSnapshot, links: MailLinks) -> str | None:
    """The link to the return label, if one was bought."""
    return_ = _by_id(order.returns, message.data.get("return_id"))
    if return_ is None or return_.label_ref is None:
        return None
    return links.label(return_.id)


def greeted_as(name: str | None) -> str:
    """A customer's name, if it is one: it stands in a mail of ours, where a link, a
    number to call or an advertisement could stand as well. Else nothing."""
    plain = " ".join((name or "").split())
    letters = all(category(c)[0] in "LM" or c in " .,'’-" for c in plain)
    if len(plain) > LONGEST_GREETING or not letters or _HOST.search(plain):
        return ""
    return plain


_HOST = re.compile(r"\w\.\w\w")
"""Mail programs make a link of it. `J.R.R. Tolkien` is none."""


def template_for(message: Message, order: OrderSnapshot) -> str | None:
    """The name of the templates; `None` for events that need no mail, or not at this
    point."""
    if message.type in ("hold.placed", "hold.reminded"):
        hold = _by_id(order.holds, message.data["hold_id"])
        if order.payment_stopped and hold and hold.reason is HoldReason.PAYMENT:
            return None  # whoever tests cards learns nothing
        return _template_for_hold(message, hold) if hold is not None else None
    if message.type == "contact.changed":
        return message.type if "ship_to" in message.data["fields"] else None
    if message.data.get("after_cancel"):
        return None  # staff speak with the customer first
    if message.type == "order.lines_cancelled":
        # All of it: order.cancelled says so.
        whole = order.status is OrderStatus.CANCELLED
        return None if whole else message.type
    return message.type


def _template_for_hold(message: Message, hold: Hold) -> str | None:
    if not HOLDS[hold.reason].customer_may:
        return None
    if hold.reason is HoldReason.STOCK:
        # Goods that are still missing are no news, nor is a decision to wait for them.
        known = message.type == "hold.reminded" or hold.detail.get("waiting")
        return None if known else f"hold.{hold.reason}"
    return f"hold.{hold.reason}"


def _context(message: Message, order: OrderSnapshot) -> dict[str, object]:
    data = message.data
    shipment = _by_id(order.shipments, data.get("shipment_id"))
    return_ = _by_id(order.returns, data.get("return_id"))
    return {
        "order": order,
        "shipment": shipment,
        "numbers": shipment and _numbers(shipment),
        "return_": return_,
        "refund": _by_id(order.refunds, data.get("refund_id")),
        "hold": _by_id(order.holds, data.get("hold_id")),
        "lines": _lines(order, shipment or return_, message),
        "reminder": message.type == "hold.reminded",
    }


def _numbers(shipment: Shipment) -> str:
    """The tracking numbers of all its packages."""
    return ", ".join(box.tracking for box in shipment.packages if box.tracking)


def _by_id(rows: Iterable[R], row_id: str | None) -> R | None:
    return next((row for row in rows if row.id == row_id), None)


def _lines(
    order: OrderSnapshot, subject: Shipment | Return | None, message: Message
) -> list[dict[str, object]]:
    """The lines that the message is about: those of the parcel or event, else all."""
    if subject is not None:
        units = {item.line: item.qty for item in subject.lines}
    elif "lines" in message.data:
        units = {item["line"]: item["quantity"] for item in message.data["lines"]}
    elif message.data.get("reason") == HoldReason.STOCK:
        units = {line.line: line.short for line in order.lines}
    elif message.type == "order.placed":
        units = {line.line: line.qty for line in order.lines}
    else:
        units = {line.line: line.qty - line.cancelled for line in order.lines}
    return [
        {"quantity": n, "name": order.line(number).name}
        for number, n in sorted(units.items())
        if n
    ]
