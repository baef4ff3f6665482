"""Events on a developer's own machine: forwarded as webhooks, and made up."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import httpx2
import typer

from cli.display import done
from cli.options import Output, OutputOption
from cli.problems import CliError, Json, harmless
from cli.session import session

app = typer.Typer()

ANSWER_SECONDS = 15.0
"""As long as the deliverer waits for an answer."""


@app.command("listen")
def listen(
    forward_to: Annotated[
        str,
        typer.Option(
            "--forward-to", metavar="URL", help="Such as http://localhost:3000/hook."
        ),
    ],
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type", help="Only events of this type: order.placed or refund.*"
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            help="The secret to sign with.", show_default="a new one, shown first"
        ),
    ] = None,
    after: Annotated[
        str, typer.Option(help="Begin after this id of the feed.")
    ] = "latest",
) -> None:
    """Forward events to your machine, signed as webhooks are, until Ctrl-C."""
    key = _key(secret)
    said = session().err
    said.print(f"secret: {_written(key)}", markup=False, soft_wrap=True)
    said.print(f"Forwarding to {forward_to} …", markup=False, soft_wrap=True)
    events = session().api.events("/v1/events", after, types=types)
    with (
        suppress(KeyboardInterrupt),
        httpx2.Client(timeout=ANSWER_SECONDS, trust_env=False) as http,
    ):
        for event in events:
            line = f"{_now()}  {event['type']}  {event['subject']}"
            answer = _forward(http, forward_to, event, key)
            session().out.print(
                harmless(f"{line} → {answer}"), markup=False, soft_wrap=True
            )


def _forward(http: httpx2.Client, url: str, event: Json, key: bytes) -> str:
    """Forward one event; returns the outcome in words."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    began = time.monotonic()
    try:
        answer = http.post(url, content=body, headers=_headers(event["id"], body, key))
    except httpx2.InvalidURL as error:
        raise CliError(f"{url} is no address: {error}") from None
    except httpx2.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    return f"{answer.status_code}  {(time.monotonic() - began) * 1000:.0f} ms"


def _headers(message_id: str, body: bytes, key: bytes) -> dict[str, str]:
    """Standard Webhooks; the service has its own copy of these lines, which this
    program does not import."""
    timestamp = str(int(time.time()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str | None) -> bytes:
    if secret is None:
        return secrets.token_bytes(32)
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise typer.BadParameter("a secret is whsec_ and base64") from None


def _written(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


def _now() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


@app.command("trigger")
def trigger(
    type: Annotated[
        str, typer.Argument(metavar="TYPE", help="Such as shipment.delivered.")
    ],
    output: OutputOption = Output.table,
) -> None:
    """Make up an event, on a development stack. Nothing has really happened."""
    made = session().api.command("/v1/events", {"type": type}, None)
    done(made, output, f"{made['type']} of {made['subject']}, which is made up.")
