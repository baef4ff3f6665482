"""HEAD, answered as GET without the content."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Answers HEAD as GET is answered, without the content (RFC 9110, 9.3.2): routes of
    FastAPI know no HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        scope["method"] = "GET"
        try:
            await self._app(scope, receive, _without_content(send))
        finally:
            scope["method"] = "HEAD"  # for the log


def _without_content(send: Send) -> Send:
    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            # Streams too: they learn that nobody listens.
            ended = True
            await send({"type": "http.response.body", "body": b""})

    return send_head
