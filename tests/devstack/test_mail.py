"""The mail sink keeps what it is sent, twice if it is sent twice."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest
from devstack.mail import Mailbox, create_app
from devstack.ports import HOST, free_ports


def a_mail(subject: str = "Your order", text: str = "It is on its way.") -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "orders@example.com", "ada@example.com"
    message["Subject"], message["Message-ID"] = subject, "<1@example.com>"
    message.set_content(text)
    return message.as_bytes()


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[tuple[httpx2.AsyncClient, int]]:
    smtp_port = free_ports().smtp
    app = create_app(Mailbox(tmp_path), smtp_port)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://sink") as client,
    ):
        yield client, smtp_port


async def send(port: int, content: bytes, times: int = 1) -> None:
    def deliver() -> None:
        with smtplib.SMTP(HOST, port) as smtp:
            for _ in range(times):
                smtp.sendmail("orders@example.com", ["ada@example.com"], content)

    await asyncio.to_thread(deliver)


async def test_a_mail_sent_twice_is_there_twice(
    sink: tuple[httpx2.AsyncClient, int],
) -> None:
    client, port = sink
    await send(port, a_mail(), times=2)
    mails = (await client.get("/messages")).json()
    assert [mail["id"] for mail in mails] == [1, 2]
    assert {mail["message_id"] for mail in mails} == {"<1@example.com>"}


async def test_a_mail_can_be_read_by_programs(
    sink: tuple[httpx2.AsyncClient, int],
) -> None:
    client, port = sink
    await send(port, a_mail("Grüße", "Ein Paket kommt."))
    mail = (await client.get("/messages/1")).json()
    assert (mail["subject"], mail["to"]) == ("Grüße", ["ada@example.com"])
    assert mail["text"].strip() == "Ein Paket kommt."
    assert (await client.get("/messages/2")).status_code == 404


async def test_the_page_shows_mails_and_runs_nothing_in_them(
    sink: tuple[httpx2.AsyncClient, int],
) -> None:
    client, port = sink
    await send(port, a_mail("Hi", "<script>alert(1)</script>"))
    page = (await client.get("/")).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


async def test_the_sink_can_be_emptied(sink: tuple[httpx2.AsyncClient, int]) -> None:
    client, port = sink
    await send(port, a_mail())
    await client.delete("/messages")
    assert (await client.get("/messages")).json() == []


def test_mails_survive_a_restart_and_keep_their_numbers(tmp_path: Path) -> None:
    Mailbox(tmp_path).add(["ada@example.com"], a_mail("First"))
    Mailbox(tmp_path).add(["ada@example.com"], a_mail("Second"))
    subjects = {mail.id: mail.subject for mail in Mailbox(tmp_path).all()}
    assert subjects == {1: "First", 2: "Second"}


async def test_a_mail_nobody_can_decode_hides_no_other(
    sink: tuple[httpx2.AsyncClient, int],
) -> None:
    client, port = sink
    await send(port, a_mail().replace(b'charset="utf-8"', b'charset="klingon"'))
    await send(port, a_mail("Readable"))
    mails = (await client.get("/messages")).json()
    assert [mail["subject"] for mail in mails] == ["Your order", "Readable"]
    assert "on its way" in mails[0]["text"]


async def test_a_mail_that_cannot_be_kept_may_be_sent_again(
    sink: tuple[httpx2.AsyncClient, int], tmp_path: Path
) -> None:
    _, port = sink
    await asyncio.to_thread(tmp_path.rmdir)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await send(port, a_mail())
    assert refused.value.smtp_code == 452


async def test_the_sink_does_not_ask_the_network_for_its_name(
    sink: tuple[httpx2.AsyncClient, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, port = sink
    monkeypatch.setattr("socket.getfqdn", lambda *_: "asked.example")
    reader, writer = await asyncio.open_connection(HOST, port)
    assert (await reader.readline()).startswith(b"220 localhost ")
    writer.close()
    await writer.wait_closed()
