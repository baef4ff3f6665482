"""Mail by SMTP."""

from email.errors import HeaderParseError
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache, partial

import aiosmtplib

from worker.orders.ports import Mail
from worker.runtime.registry import Undeliverable

IMPLICIT_TLS_PORT = 465
TIMEOUT_SECONDS = 20
"""For each step of the dialogue; well below the pause between two attempts."""


class _Headers(HeaderRegistry):
    """The standard one makes a new class for each header of each mail, which took a
    third of making one."""

    __getitem__ = cache(HeaderRegistry.__getitem__)


POLICY = SMTP.clone(header_factory=_Headers())


class SmtpMailer:
    """`tls` means TLS from the start on port 465 and STARTTLS on any other, without
    which nothing is sent."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        tls: bool,
        username: str | None,
        password: str | None,
    ) -> None:
        self._sender = sender
        self._domain = sender.rpartition("@")[2].rstrip(">")
        self._send = partial(
            aiosmtplib.send,
            hostname=host,
            port=port,
            use_tls=tls and port == IMPLICIT_TLS_PORT,
            start_tls=tls and port != IMPLICIT_TLS_PORT,
            username=username,
            password=password,
            timeout=TIMEOUT_SECONDS,
        )

    async def send(self, mail: Mail) -> None:
        try:
            await self._send(self._message(mail))
        except aiosmtplib.SMTPRecipientsRefused as refused:
            codes = sorted({recipient.code for recipient in refused.recipients})
            if all(code >= 500 for code in codes):
                raise Undeliverable(f"recipient refused: {codes}") from None
            raise
        except aiosmtplib.SMTPDataError as refused:
            if refused.code >= 500:
                raise Undeliverable(f"message refused: {refused.code}") from None
            raise

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=POLICY)
        message["Message-ID"] = f"<{mail.key}@{self._domain}>"
        message["Date"] = mail.at
        message["From"] = self._sender
        message["To"] = _address(mail)
        message["Subject"] = mail.subject
        # Holiday notes and the like shall not answer (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        return message


def _address(mail: Mail) -> Address:
    try:
        return Address(mail.name, addr_spec=mail.address)
    except (HeaderParseError, ValueError, IndexError):
        raise Undeliverable("not a mail address") from None
