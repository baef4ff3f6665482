"""Mails over connections that are kept: fewer of them, and no mail less."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from email.utils import getaddresses

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from devstack.ports import HOST
from worker.runtime import smtp
from worker.runtime.mail import Mail
from worker.runtime.registry import Undeliverable
from worker.runtime.smtp import SmtpMailer

Reset = Callable[[SMTP], Awaitable[str]]


async def accepts(server: SMTP) -> str:
    return "250 go on"


async def has_enough(server: SMTP) -> str:
    return "421 enough for one connection"


async def hangs_up(server: SMTP) -> str:
    assert server.transport is not None
    server.transport.close()
    return "421 never sent"


@dataclass
class MailServer:
    """Aiosmtpd calls these methods. `reset` is what it says between two mails."""

    reset: Reset = accepts
    connections: set[Session] = field(default_factory=set)
    mails: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    all_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        envelope.mail_from = address
        self.connections.add(session)
        return "250 go on"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        self.recipients.append(envelope.rcpt_tos)
        return "250 kept"

    async def handle_RSET(self, server: SMTP, _: Session, __: Envelope) -> str:
        return await self.reset(server)

    async def handle_QUIT(self, server: SMTP, _: Session, __: Envelope) -> str:
        self.all_ended.set()
        return "221 bye"


@asynccontextmanager
async def mailing_to(server: MailServer) -> AsyncIterator[SmtpMailer]:
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: SMTP(server), HOST, 0)
    mailer = SmtpMailer(
        HOST,
        listening.sockets[0].getsockname()[1],
        sender="Tea Shop <orders@example.com>",
        tls=False,
        username=None,
        password=None,
    )
    try:
        yield mailer
    finally:
        await mailer.close()
        listening.close()


def a_mail(number: int) -> Mail:
    return Mail(
        key=f"ord_1.{number}",
        name="Ada",
        address="ada@example.com",
        at=datetime(2026, 3, 2, 8, tzinfo=UTC),
        subject=f"News {number}",
        text="Hello",
        html="<p>Hello</p>",
    )


async def test_mails_one_after_another_go_over_one_connection() -> None:
    server = MailServer()
    async with mailing_to(server) as mailer:
        for number in range(3):
            await mailer.send(a_mail(number))
    assert len(server.connections) == 1
    assert [b"Subject: News %d\r" % n in server.mails[n] for n in range(3)] == [
        True
    ] * 3


async def test_mails_at_once_do_not_wait_for_each_other() -> None:
    server = MailServer()
    async with mailing_to(server) as mailer:
        await asyncio.gather(*(mailer.send(a_mail(number)) for number in range(3)))
    assert len(server.connections) == 3


@pytest.mark.parametrize("reset", [has_enough, hangs_up])
async def test_a_connection_that_the_server_ended_costs_no_mail(reset: Reset) -> None:
    server = MailServer(reset)
    async with mailing_to(server) as mailer:
        for number in range(3):
            await mailer.send(a_mail(number))
    assert len(server.connections) == len(server.mails) == 3


async def test_a_server_is_told_that_nothing_more_comes() -> None:
    server = MailServer()
    async with mailing_to(server) as mailer:
        await mailer.send(a_mail(1))
        assert not server.all_ended.is_set()
    async with asyncio.timeout(5):
        await server.all_ended.wait()


async def test_a_connection_is_not_kept_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "IDLE_SECONDS", 0)
    server = MailServer()
    async with mailing_to(server) as mailer:
        await mailer.send(a_mail(1))
        async with asyncio.timeout(5):
            await server.all_ended.wait()


async def test_mails_differ_only_in_their_own_contents() -> None:
    server = MailServer()
    async with mailing_to(server) as mailer:
        await mailer.send(a_mail(1))
        await mailer.send(a_mail(1))
        await mailer.send(a_mail(2))
    first, again, other = (mail.replace(boundary(mail), b"") for mail in server.mails)
    assert first == again
    assert first.replace(b"News 1", b"News 2").replace(b"ord_1.1", b"ord_1.2") == other


def boundary(mail: bytes) -> bytes:
    return mail.partition(b'boundary="')[2].partition(b'"')[0]


SMUGGLED = (
    "\nBcc: eve@evil.example",
    "\r\nBcc: eve@evil.example",
    "\rBcc: eve@evil.example",
    "\r\n\r\nPay at https://evil.example",
    " <eve@evil.example>, Ada",
)
PLACES = ("{}", "Ada {}", '"{}"', "Ada ({})", "Ä {}", "A" * 70 + " {}")


def hidden(what: str) -> Iterator[str]:
    """`what` in the encoded words of RFC 2047 that say it."""
    quoted = "".join(f"={byte:02x}" for byte in what.encode())
    encoded = base64.b64encode(what.encode()).decode()
    yield from (f"=?utf-8?q?{quoted}?=", f"=?UTF-8*en?B?{encoded}?=")


NAMES = [
    place.format(word)
    for what in SMUGGLED
    for word in (*hidden(what), what)
    for place in PLACES
]
ADDRESSES = [
    f"{word}@example.com"
    for what in SMUGGLED
    for plain in hidden(what)
    for word in (plain, f'"{plain}"', f'"{what}"')
]


@pytest.mark.parametrize(
    "mails",
    [
        [replace(a_mail(1), name=name) for name in NAMES],
        [replace(a_mail(1), address=address) for address in ADDRESSES],
    ],
    ids=["name", "address"],
)
async def test_nobody_writes_a_header_or_a_body_of_their_own(mails: list[Mail]) -> None:
    """CVE-2024-6923: Pythons before 3.11.10 and 3.12.5 write the line breaks of an
    encoded word into the header."""
    server = MailServer()
    async with mailing_to(server) as mailer:
        for mail in mails:
            with suppress(Undeliverable):
                await mailer.send(mail)
        await mailer.send(a_mail(2))
    for sent, recipients in zip(server.mails, server.recipients, strict=True):
        head, _, body = sent.partition(b"\r\n\r\n")
        assert b"evil" not in body
        assert fields(head) == OURS
        assert recipients == ["ada@example.com"]
        ((_, to),) = getaddresses([str(message_from_bytes(sent)["To"])])
        assert to == "ada@example.com"


OURS = [
    *(b"Message-ID", b"Date", b"From", b"To", b"Subject", b"Auto-Submitted"),
    *(b"MIME-Version", b"Content-Type"),
]


def fields(head: bytes) -> list[bytes]:
    """A line break of any kind begins a new one: that is how some servers read it."""
    lines = [line for line in head.splitlines() if not line[:1].isspace()]
    return [line.partition(b":")[0] for line in lines]


@pytest.mark.parametrize("name", ["Ada O'Brien", 'Ådä, the "great"', "Ada " * 60])
async def test_any_other_name_is_written_as_it_is(name: str) -> None:
    server = MailServer()
    async with mailing_to(server) as mailer:
        await mailer.send(replace(a_mail(1), name=name))
    (sent,) = server.mails
    to = message_from_bytes(sent, policy=default)["To"]
    assert [(a.display_name, a.addr_spec) for a in to.addresses] == [
        (name.strip(), "ada@example.com")
    ]
