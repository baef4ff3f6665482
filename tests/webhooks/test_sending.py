"""What is called, and what never is, whoever asks for it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from api.kernel.delivery import sender
from api.kernel.delivery.message import Message
from api.kernel.delivery.sender import Answer, Sender
from api.kernel.feed.queries import Position
from shared.platform.addresses import may_be_called

from tests.support.certificates import Authority
from tests.support.receivers import HANGS, Receiver

LOOPBACK = (ip_network("127.0.0.0/8"),)
NAME = "receiver.example.com"
MESSAGE = Message(Position(7, 1), "order.placed", "ord_a", datetime.now(UTC), b"{}")
SECRETS = ["whsec_" + "A" * 40]


@pytest.fixture
def authority() -> Authority:
    return Authority("endpoints")


@pytest.fixture
def certificate(authority: Authority, tmp_path: Path) -> Path:
    authority.issue(NAME, "127.0.0.1").write(tmp_path)
    return tmp_path


class Names:
    """The world's name servers, as one who owns a domain may have them answer."""

    def __init__(self) -> None:
        self.answers: Iterator[str] = iter(())
        self.asked = 0

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        if host != NAME:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.asked += 1
        address = next(self.answers)
        return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", names.getaddrinfo)
    return names


@pytest.fixture
async def send(authority: Authority, tmp_path: Path) -> AsyncIterator[Any]:
    trusted = ssl.create_default_context(cadata=authority.certificate.decode())
    senders = []

    async def send(url: str, allowed: Any = LOOPBACK) -> Answer:
        senders.append(Sender(allowed, trusted))
        return await senders[-1].send(url, MESSAGE, SECRETS)

    yield send
    for one in senders:
        await one.close()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("2002:7f00:1::", "2002:a00:1::", "2001:db8::1", "64:ff9b:1::a00:1"),
    ],
)
def test_an_address_that_is_not_public_is_never_called(address: str) -> None:
    assert not may_be_called(address, ())


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"]
)
def test_a_public_one_is(address: str) -> None:
    assert may_be_called(address, ())


async def test_tls_is_checked_against_the_name_though_an_address_is_called(
    names: Names, send: Any, certificate: Path
) -> None:
    async with Receiver().listening(certificate) as receiver:
        names.answers = iter(["127.0.0.1"])
        answer = await send(f"https://{NAME}:{receiver.port}/hook")
    assert answer.succeeded, answer
    assert receiver.heard[0].headers["host"] == f"{NAME}:{receiver.port}"


async def test_a_certificate_of_another_name_is_refused(
    names: Names, send: Any, authority: Authority, tmp_path: Path
) -> None:
    authority.issue("another.example.com").write(tmp_path)
    async with Receiver().listening(tmp_path) as receiver:
        names.answers = iter(["127.0.0.1"])
        answer = await send(f"https://{NAME}:{receiver.port}/hook")
    assert not answer.succeeded
    assert "certificate" in str(answer.error).lower()
    assert receiver.heard == []


async def test_a_certificate_that_nobody_knows_is_refused(
    send: Any, tmp_path: Path
) -> None:
    Authority("nobody").issue("127.0.0.1").write(tmp_path)
    async with Receiver().listening(tmp_path) as receiver:
        answer = await send(receiver.url)
    assert "certificate" in str(answer.error).lower()


async def test_a_name_that_leads_here_is_not_called(
    names: Names, send: Any, certificate: Path
) -> None:
    async with Receiver().listening(certificate) as receiver:
        names.answers = iter(["127.0.0.1"])
        answer = await send(f"https://{NAME}:{receiver.port}/hook", ())
    assert answer.error == "the address is not public"
    assert receiver.heard == []


async def test_a_name_is_asked_once_so_that_its_second_answer_leads_nowhere(
    names: Names, send: Any, certificate: Path
) -> None:
    """DNS rebinding: the first answer is checked, and the second would be called."""
    async with Receiver().listening(certificate) as receiver:
        names.answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.3"])
        answer = await send(f"https://{NAME}:{receiver.port}/hook")
    assert answer.succeeded
    assert names.asked == 1


async def test_one_private_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch, send: Any
) -> None:
    async def both(host: str, port: int, **_: Any) -> list[Any]:
        return [
            *socket.getaddrinfo("93.184.216.34", port, type=socket.SOCK_STREAM),
            *socket.getaddrinfo("10.0.0.1", port, type=socket.SOCK_STREAM),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    answer = await send(f"https://{NAME}/hook", ())
    assert answer.error == "the address is not public"


async def test_plain_http_is_for_allowed_networks_only(names: Names, send: Any) -> None:
    names.answers = iter(["93.184.216.34"])
    answer = await send(f"http://{NAME}/hook")
    assert answer.error == "only https is sent to public addresses"


async def test_a_redirect_is_not_followed(send: Any) -> None:
    async with (
        Receiver().listening() as elsewhere,
        Receiver(lambda _: 307).listening() as receiver,
    ):
        receiver.answer_headers = [(b"location", elsewhere.url.encode())]
        answer = await send(receiver.url)
    assert (answer.status, answer.succeeded) == (307, False)
    assert elsewhere.heard == []


async def test_an_answer_that_does_not_end_is_not_read(send: Any) -> None:
    async with Receiver(lambda _: 200).listening() as receiver:
        receiver.answer = b"x" * 10_000_000
        answer = await send(receiver.url)
    assert answer.succeeded
    assert len(answer.head) == sender.HEAD


async def test_one_that_hangs_has_its_time(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "ANSWER_SECONDS", 0.2)
    async with Receiver(lambda _: HANGS).listening() as receiver:
        answer = await send(receiver.url)
    assert answer.error == "no answer within 0.2 seconds"


async def test_it_says_when_it_wants_to_be_asked_again(send: Any) -> None:
    async with Receiver(lambda _: 429).listening() as receiver:
        receiver.answer_headers = [(b"retry-after", b"120")]
        answer = await send(receiver.url)
    assert answer.retry_after == 120
