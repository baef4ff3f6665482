"""Mails the owners of webhook endpoints about failures that do not heal by
themselves."""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from shared.database.engine import Engine
from sqlalchemy import text

from worker.runtime.mail import Mail, Mailer
from worker.runtime.registry import Message, MessageHandler

_SAID = {
    "webhook_endpoint.failed": (
        "Webhooks to {host} have stopped",
        "{host} has not answered for three days, so nothing is sent to it any more.",
        "Nothing is lost: once it works again, enable it with\n\n"
        "    orders webhook-endpoint enable {id}\n\n"
        "and it hears of everything that it has missed, in order.",
    ),
    "webhook_endpoint.gone": (
        "Webhooks to {host} have stopped",
        "{host} has answered 410, which means that it is gone, so nothing is sent to it"
        " any more.",
        "If that is right, delete it: `orders webhook-endpoint delete {id}`. If not,"
        "\n\n    orders webhook-endpoint enable {id}\n\n"
        "sends it everything that it has missed, in order.",
    ),
    "webhook_delivery.failed": (
        "A webhook to {host} was given up",
        "{host} has refused {event_type} of {event_subject} for three days, while it"
        " took others. It is not sent any more; later events of {event_subject} are.",
        "See what was answered, and send it once more:\n\n"
        "    orders webhook-endpoint deliveries {id} --status failed\n"
        "    orders webhook-endpoint redeliver {id} {delivery}",
    ),
}
"""By the event: the subject, what has happened, and what to do."""


class Owners:
    def __init__(self, engine: Engine, mailer: Mailer) -> None:
        self._engine = engine
        self._mailer = mailer

    def handlers(self) -> Mapping[str, MessageHandler]:
        return dict.fromkeys(_SAID, self.notify)

    async def notify(self, message: Message) -> bool:
        """Send one mail. Returns `False` for an endpoint that was deleted. Safe to
        repeat: the Message-ID stays the same."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(_ENDPOINT, {"id": message.subject})
        if not rows:
            return False
        endpoint = rows.one()
        # Not the whole address, which may contain a secret.
        words = {
            **message.data,
            "id": message.subject,
            "host": urlsplit(endpoint.url).hostname,
        }
        subject, *paragraphs = (part.format(**words) for part in _SAID[message.type])
        await self._mailer.send(
            Mail(
                key=message.key,
                name="",
                address=endpoint.owner_email,
                at=message.at,
                subject=subject,
                text="\n\n".join(paragraphs) + "\n",
                html="".join(_paragraph(one) for one in paragraphs),
            )
        )
        return True


def _paragraph(text: str) -> str:
    return f'<p style="white-space: pre-wrap">{escape(text)}</p>'


_ENDPOINT = text("SELECT url, owner_email FROM webhook_endpoints WHERE id = :id")
