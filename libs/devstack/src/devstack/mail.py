"""A mail sink: takes every mail, delivers none, and shows what it has.

`GET /` is a page for people, `GET /messages` and `GET /messages/{id}` are for programs,
`DELETE /messages` empties it. A mail sent twice is there twice. Mails are files in the
data directory and survive a restart.
"""

import asyncio
import email.policy
import html
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, HTTPException, status
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from devstack.ports import HOST

_ENVELOPE_TO = "X-Envelope-To"


class Mail(BaseModel):
    """A mail as it arrived. `to` is whom it was sent to, whatever its header says."""

    id: int
    subject: str
    to: list[str]
    message_id: str
    date: str
    text: str


class Mailbox:
    """The mails of a directory, one file each, oldest first."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        last = max((int(file.stem) for file in self._files()), default=0)
        self._numbers = itertools.count(last + 1)

    def add(self, recipients: list[str], content: bytes) -> None:
        """Keep a mail. It is on disk when this returns."""
        number = next(self._numbers)
        head = f"{_ENVELOPE_TO}: {', '.join(recipients)}\r\n".encode()
        draft = self._directory / f"{number:06}.incoming"
        with draft.open("wb") as file:
            file.write(head + content)
            os.fsync(file.fileno())
        draft.rename(self._directory / f"{number:06}.eml")

    def all(self) -> list[Mail]:
        return [mail for file in self._files() if (mail := _read(file))]

    def get(self, number: int) -> Mail | None:
        return _read(self._directory / f"{number:06}.eml")

    def clear(self) -> None:
        for file in self._files():
            file.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("*.eml"))


class _Receiver:
    """What aiosmtpd calls for each mail."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        if not isinstance(content, bytes):
            return "554 this sink reads bytes"
        # In a thread, since flushing to disk would stop the other connections.
        try:
            await asyncio.to_thread(self._mailbox.add, envelope.rcpt_tos, content)
        except OSError as problem:
            # A temporary error, so that the sender tries again once the disk has room.
            return f"452 not kept: {problem.strerror}"
        return "250 kept"


def create_app(mailbox: Mailbox, smtp_port: int) -> FastAPI:
    """The pages, and the SMTP server on `smtp_port` for as long as they are served."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        def smtp() -> SMTP:
            # Named, as it would resolve its own name for each connection.
            return SMTP(_Receiver(mailbox), enable_SMTPUTF8=True, hostname="localhost")

        loop = asyncio.get_running_loop()
        server = await loop.create_server(smtp, HOST, smtp_port)
        yield
        server.close()

    app = FastAPI(title="Mail sink", lifespan=lifespan)

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        return _page(mailbox.all())

    @app.get("/health")
    async def health() -> str:
        # Not by /messages, which takes longer than a probe after a thousand orders.
        return "ok"

    @app.get("/messages")
    def messages() -> list[Mail]:
        return mailbox.all()

    @app.get("/messages/{number}")
    def message(number: int) -> Mail:
        if (mail := mailbox.get(number)) is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND)
        return mail

    @app.delete("/messages", status_code=status.HTTP_204_NO_CONTENT)
    def clear() -> None:
        mailbox.clear()

    return app


def _read(file: Path) -> Mail | None:
    """The mail, unless the sink was emptied meanwhile."""
    try:
        content = file.read_bytes()
        arrived = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
    parsed = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(content)
    return Mail(
        id=int(file.stem),
        subject=str(parsed["Subject"] or ""),
        to=str(parsed[_ENVELOPE_TO]).split(", "),
        message_id=str(parsed["Message-ID"] or ""),
        date=str(parsed["Date"] or arrived.isoformat()),
        text=_text(parsed),
    )


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain", "html"))
    if body is None:
        return ""
    try:
        return str(body.get_content())
    except LookupError:  # an unknown charset
        return str(body.get_payload())


def _page(mails: list[Mail]) -> str:
    newest_first = "".join(_entry(mail) for mail in reversed(mails))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Mails ({len(mails)})</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; }}
  details {{ border-bottom: 1px solid #ddd; padding: .5rem 0; }}
  small {{ color: #666; }}
  pre {{ background: #f6f6f6; padding: 1rem; white-space: pre-wrap; }}
</style>
<h1>Mails</h1>
{newest_first or "<p>None yet.</p>"}
</html>"""


def _entry(mail: Mail) -> str:
    to, text = html.escape(", ".join(mail.to)), html.escape(mail.text)
    subject = html.escape(mail.subject or "(no subject)")
    return f"""<details>
  <summary>{subject}<br><small>to {to}, {html.escape(mail.date)}</small></summary>
  <pre>{text}</pre>
</details>
"""


def serve(
    smtp_port: Annotated[int, typer.Option()],
    http_port: Annotated[int, typer.Option()],
    data: Annotated[Path, typer.Option(help="The directory of the mails.")],
) -> None:
    """Take mails by SMTP and show them by HTTP, on loopback."""
    app = create_app(Mailbox(data), smtp_port)
    uvicorn.run(app, host=HOST, port=http_port, log_level="info", access_log=False)


if __name__ == "__main__":
    typer.run(serve)
