"""The receiver of docs/how-to/receive-webhooks.md works as it stands."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from api.kernel.delivery.message import Message, headers
from api.kernel.feed.queries import Position
from api.kernel.standard_webhooks import new_secret

PAGE = Path(__file__).parents[2] / "docs/how-to/receive-webhooks.md"
MESSAGE = Message(
    *(Position(7, 1), "order.placed", "ord_a", datetime.now(UTC)),
    b'{"id":"7-1","type":"order.placed"}',
)


async def test_a_receiver_of_ten_lines_takes_what_we_sign_and_nothing_else() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(list(filter(None, code.splitlines()))) <= 10
    secret = new_secret()
    receiver: dict[str, Any] = {}
    exec(code.replace("whsec_example", secret), receiver)
    transport = httpx2.ASGITransport(receiver["app"], raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://r") as http:
        for signed_by, status in ((secret, 204), (secret, 204), (new_secret(), 500)):
            signed = list(headers(MESSAGE, [signed_by]))
            answer = await http.post("/hook", content=MESSAGE.body, headers=signed)
            assert answer.status_code == status
    assert receiver["seen"] == {"7-1"}
