"""Mail by SMTP."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from email.errors import HeaderParseError, MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import getaddresses
from functools import cache, lru_cache, partial

import aiosmtplib
from aiosmtplib import SMTP as Connection

from worker.runtime.mail import Mail
from worker.runtime.registry import Undeliverable
from worker.settings import WorkerSettings

IMPLICIT_TLS_PORT = 465
TIMEOUT_SECONDS = 20
"""For each step of the dialogue; well below the pause between two attempts."""
IDLE_SECONDS = 30
"""Servers wait at least 5 minutes (RFC 5321, 4.5.3.2.7); their places are few."""


class _Headers(HeaderRegistry):
    """The standard one makes a new class for each header of each mail, and parses what
    is the same in all of them; that was half the time of making a mail."""

    __getitem__ = cache(HeaderRegistry.__getitem__)
    _known = lru_cache(64)(HeaderRegistry.__call__)

    def __call__(self, name: str, value: object) -> BaseHeader:
        known = isinstance(value, str)
        return self._known(name, value) if known else super().__call__(name, value)


POLICY = SMTP.clone(header_factory=_Headers())
ONE_FIELD = re.compile(rb"[^\r\n]+\r\n([ \t][^\r\n]*[^\s][^\r\n]*\r\n)*")
"""A folded header field (RFC 5322, 2.2.3): a line, and more that begin with a blank."""
PLAIN_LOCAL_PART = re.compile(r"[^\s\"(),:;<>@\[\]\\]+")
"""Without quoting, under which anything may be hidden."""


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
        self._connections = _Connections(
            partial(
                Connection,
                hostname=host,
                port=port,
                use_tls=tls and port == IMPLICIT_TLS_PORT,
                start_tls=tls and port != IMPLICIT_TLS_PORT,
                username=username,
                password=password,
                timeout=TIMEOUT_SECONDS,
            )
        )

    async def send(self, mail: Mail) -> None:
        message = self._message(mail)
        try:
            async with self._connections.one() as connection:
                await connection.send_message(message)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            codes = sorted({recipient.code for recipient in refused.recipients})
            if all(code >= 500 for code in codes):
                raise Undeliverable(f"recipient refused: {codes}") from None
            raise
        except aiosmtplib.SMTPDataError as refused:
            if refused.code >= 500:
                raise Undeliverable(f"message refused: {refused.code}") from None
            raise

    async def close(self) -> None:
        await self._connections.close()

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=POLICY)
        message["Message-ID"] = f"<{mail.key}@{self._domain}>"
        message["Date"] = mail.at
        message["From"] = self._sender
        message["To"] = _address(mail)
        message["Subject"] = mail.subject
        # Holiday notes and the like should not answer (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        _check_headers(message, mail.address)
        return message


def smtp_mailer(settings: WorkerSettings) -> SmtpMailer | None:
    """`None` without a mail server."""
    if settings.smtp_host is None or settings.mail_from is None:
        return None
    password = settings.smtp_password
    return SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        sender=settings.mail_from,
        tls=settings.smtp_tls,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
    )


class _Connections:
    """One connection for each mail under way. They are kept for the next mails, because
    opening and closing one takes as long as a mail."""

    def __init__(self, new: Callable[[], Connection]) -> None:
        self._new = new
        self._idle: dict[Connection, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        connection = await self._kept() or await self._opened()
        try:
            yield connection
        except BaseException:
            connection.close()  # its state is unknown
            raise
        self._idle[connection] = asyncio.create_task(self._retire(connection))

    async def _kept(self) -> Connection | None:
        while self._idle:
            connection, retiring = self._idle.popitem()
            retiring.cancel()
            # Some servers end it after a number of mails, or lost it unnoticed.
            with suppress(aiosmtplib.SMTPException):
                await connection.rset()
                return connection
            connection.close()
        return None

    async def _opened(self) -> Connection:
        connection = self._new()
        await connection.connect()
        return connection

    async def _retire(self, connection: Connection) -> None:
        await asyncio.sleep(IDLE_SECONDS)
        del self._idle[connection]
        await _end(connection)

    async def close(self) -> None:
        idle, self._idle = self._idle, {}
        for retiring in idle.values():
            retiring.cancel()
        await asyncio.gather(*(_end(connection) for connection in idle))


async def _end(connection: Connection) -> None:
    with suppress(aiosmtplib.SMTPException):
        await connection.quit()
    connection.close()


def _address(mail: Mail) -> Address:
    local_part, _, _ = mail.address.rpartition("@")
    try:
        if "=?" not in mail.address and PLAIN_LOCAL_PART.fullmatch(local_part):
            return Address(mail.name, addr_spec=mail.address)
    except (HeaderParseError, ValueError, IndexError):
        pass
    raise Undeliverable("not a mail address")


def _check_headers(message: EmailMessage, address: str) -> None:
    """Check the written mail: each header is one field, and there is one addressee,
    whatever the library made of a name (CVE-2024-6923). Raises `Undeliverable`."""
    policy = POLICY.clone(utf8=not address.isascii())
    try:
        fields = {
            name: policy.fold_binary(name, value) for name, value in message.raw_items()
        }
    except MessageError:  # newer Pythons check this themselves
        raise Undeliverable("a header of several lines") from None
    if not all(ONE_FIELD.fullmatch(field) for field in fields.values()):
        raise Undeliverable("a header of several lines")
    (*others, (_, addressee)) = getaddresses([fields["To"].decode()[len("To:") :]])
    if others or addressee != address:
        raise Undeliverable("several addressees")
