"""The owner of an endpoint hears by mail of what does not mend itself."""

from datetime import UTC, datetime

import pytest
from shared.database.engine import Engine
from sqlalchemy import text
from worker.runtime.mail import Mail
from worker.runtime.registry import Message
from worker.webhooks.owners import Owners

ENDPOINT = f"whe_{'0' * 26}"
FAILED = {
    "delivery": "742-1093",
    "event_type": "order.placed",
    "event_subject": "ord_a",
}


class Kept:
    """A mail server would get them."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def send(self, mail: Mail) -> None:
        self.mails.append(mail)

    async def close(self) -> None: ...


@pytest.fixture
async def endpoint(engine: Engine) -> None:
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO webhook_endpoints (id, url, owner_email, types, secret,"
                " transaction_id, event_id) VALUES (:id, :url, 'erp@example.com',"
                " '[\"*\"]', 'whsec_x', 0, 0)"
            ),
            {"id": ENDPOINT, "url": "https://erp.example.com/hooks?token=<b>"},
        )


def about(type: str) -> Message:
    data = FAILED if type == "webhook_delivery.failed" else {}
    return Message(ENDPOINT, 3, type, datetime.now(UTC), data)


@pytest.mark.parametrize(
    ("type", "said", "to_do"),
    [
        ("webhook_endpoint.failed", "for three days", "enable"),
        ("webhook_endpoint.gone", "410", "delete"),
        ("webhook_delivery.failed", "order.placed of ord_a", "redeliver"),
    ],
)
async def test_it_says_what_has_happened_and_what_to_do(
    engine: Engine, endpoint: None, type: str, said: str, to_do: str
) -> None:
    kept = Kept()
    owners = Owners(engine, kept)
    assert await owners.handlers()[type](about(type))
    [mail] = kept.mails
    assert mail.address == "erp@example.com"
    assert "erp.example.com" in mail.subject
    for body in (mail.text, mail.html):
        assert said in body
        assert f"orders webhook-endpoint {to_do} {ENDPOINT}" in body
        assert "token" not in body


async def test_of_one_that_was_deleted_nobody_is_told(engine: Engine) -> None:
    assert not await Owners(engine, Kept()).notify(about("webhook_endpoint.failed"))
