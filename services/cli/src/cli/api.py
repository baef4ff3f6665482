"""The HTTP API as the commands see it. They reach nothing else of the system."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import httpx2

from cli.options import given
from cli.problems import ApiProblem, CliError, Json, SomethingElse, Unreachable
from cli.settings import CliSettings

TIMEOUT_SECONDS = 40.0
"""Above the longest wait that the API offers (`Prefer: wait=30`)."""
PAUSE_SECONDS = 1.0
NOTHING_MORE = 204
"""The API's answer to a client that follows an order which ended a while ago."""

Waiting = Callable[[str, float], None]
"""Called with what the command waits for, and how much of the patience is used up (0 to
1)."""


class MayHaveHappened(CliError):
    """No answer to a command: repeating it under its key is safe."""

    def __init__(self, why: CliError, key: str) -> None:
        super().__init__(
            f"{why}\n→ Whether it was done is not known. Repeat the same command with"
            f" --key {key}: it is done once in any case."
        )


class Api:
    def __init__(
        self,
        settings: CliSettings,
        waiting: Waiting,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._url = settings.api_url
        self._patience = settings.patience
        self._waiting = waiting
        self._http = httpx2.Client(
            base_url=settings.api_url,
            headers=settings.headers,
            timeout=TIMEOUT_SECONDS,
            transport=transport,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: object) -> Json:
        return self._answer("GET", path, params=given(**params))

    def download(self, path: str, accept: str = "*/*") -> bytes:
        """A file, such as a label."""
        with self._reached():
            answer = self._http.get(path, headers={"Accept": accept})
        if answer.is_error:
            raise _problem(answer)
        return answer.content

    def save(self, path: str, target: IO[bytes]) -> int:
        """A large file, as it comes. Returns its bytes."""
        with self._reached(), self._http.stream("GET", path) as answer:
            if answer.is_error:
                answer.read()
                raise _problem(answer)
            for part in answer.iter_bytes():
                target.write(part)
            return answer.num_bytes_downloaded

    def post(self, path: str, body: Json) -> Json:
        """Send a request that changes nothing, so that it needs no key."""
        return self._answer("POST", path, json=body)

    def put(self, path: str, body: Json) -> Json:
        return self._answer("PUT", path, json=body)

    def patch(self, path: str, body: Json, version: str | None = None) -> Json:
        """Change a resource. Raises `ApiProblem` if it has another version by now."""
        headers = {} if version is None else {"If-Match": version}
        return self._answer("PATCH", path, json=body, headers=headers)

    def delete(self, path: str) -> None:
        with self._reached():
            answer = self._http.delete(path)
        if answer.is_error:
            raise _problem(answer)

    def rows(self, path: str, limit: int, **params: object) -> Json:
        """A list of up to `limit` rows, from as many pages as it takes."""
        rows: list[Json] = []
        cursor: str | None = None
        while True:
            size = min(limit - len(rows), 200)
            page = self.get(path, limit=size, cursor=cursor, **params)
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None or len(rows) >= limit:
                return {"data": rows, "next_cursor": cursor}

    def command(
        self, path: str, body: Json | None, key: str | None, **headers: str
    ) -> Json:
        """Do a command once. While the API is unavailable the request is repeated;
        without an answer in time, raises `MayHaveHappened`."""
        key = key or str(uuid.uuid4())
        headers = {"Idempotency-Key": key, **headers}
        why: CliError
        try:
            return self._answered(path, body, headers)
        except KeyboardInterrupt:
            why = CliError("Interrupted.")
        except (ApiProblem, Unreachable) as error:
            if not error.passes:
                raise
            why = error
        raise MayHaveHappened(why, key)

    def _answered(self, path: str, body: Json | None, headers: dict[str, str]) -> Json:
        began = time.monotonic()
        while True:
            try:
                return self._answer("POST", path, json=body, headers=headers)
            except (ApiProblem, Unreachable) as error:
                if not error.passes or not self._has_patience(began):
                    raise
            time.sleep(PAUSE_SECONDS)

    def _has_patience(self, began: float) -> bool:
        used = time.monotonic() - began
        if used < self._patience:
            self._waiting("The service is not available yet", used / self._patience)
        return used < self._patience

    def until(self, path: str, done: Callable[[Json], bool], what: str) -> Json:
        """Poll until `done`, or until patience ends."""
        began = time.monotonic()
        while not done(found := self.get(path)):
            used = time.monotonic() - began
            if used >= self._patience:
                raise CliError(
                    f"{what}: not after {self._patience:g} seconds.\n"
                    "→ It goes on by itself: look again later."
                )
            self._waiting(what, used / self._patience)
            time.sleep(PAUSE_SECONDS)
        return found

    def events(self, path: str, after: str, **params: object) -> Iterator[Json]:
        """Events as they happen, over as many connections as it takes. An order's
        events end a while after the order has."""
        lost: float | None = None
        while True:
            try:
                with self._stream(path, after, params) as stream:
                    lost = None
                    if stream.status_code == NOTHING_MORE:
                        return
                    for position, data in self._frames(stream):
                        after = position or after
                        if data:
                            yield json.loads(data)
            except (ApiProblem, Unreachable) as error:
                lost = lost or time.monotonic()
                if not error.passes or not self._has_patience(lost):
                    raise
            time.sleep(PAUSE_SECONDS)

    @contextmanager
    def _stream(
        self, path: str, after: str, params: dict[str, object]
    ) -> Iterator[httpx2.Response]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
        with (
            self._reached(),
            self._http.stream(
                "GET", path, headers=headers, params=given(**params)
            ) as stream,
        ):
            if stream.is_error:
                stream.read()
                raise _problem(stream)
            yield stream

    def _frames(self, stream: httpx2.Response) -> Iterator[tuple[str, str]]:
        """The server-sent events of a stream: each one's id, if any, and data. One
        without data only says where the stream begins."""
        if not stream.headers.get("content-type", "").startswith("text/event-stream"):
            raise SomethingElse(self._url)
        frame: dict[str, str] = {}
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                frame[name] = value
            elif line == "":
                yield frame.get("id", ""), frame.get("data", "")
                frame = {}

    def _answer(self, method: str, path: str, **request: Any) -> Json:
        with self._reached():
            answer = self._http.request(method, path, **request)
        if answer.is_error:
            raise _problem(answer)
        try:
            body: Json = answer.json()
        except ValueError:
            raise SomethingElse(self._url) from None
        return body

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            raise Unreachable(self._url, type(error).__name__) from error


def _problem(answer: httpx2.Response) -> ApiProblem:
    try:
        document = answer.json()
    except ValueError:
        document = {"title": answer.reason_phrase, "detail": answer.text[:500]}
    return ApiProblem(answer.status_code, document)
