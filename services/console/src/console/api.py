"""The HTTP API as the pages use it, for one person. Pages reach nothing else."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx2
from opentelemetry import propagate

Json = dict[str, Any]
TIMEOUT_SECONDS = 15.0
UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_PATH = re.compile(r"(/(?!\.\.?(/|$))[\w.~%-]+)+", re.ASCII)
"""A path as `part` writes it; none of its parts leads upwards to another operation."""


class ApiProblem(Exception):
    """The API refused, and says why in a problem document (RFC 9457)."""

    def __init__(self, status: int, document: Json) -> None:
        self.status = status
        self.document = document
        self.code = str(document.get("type", "")).rpartition("/")[2]
        super().__init__(f"{status} {self.code}")

    @property
    def title(self) -> str:
        return str(self.document.get("title") or "The API refused this")

    @property
    def detail(self) -> str:
        return str(self.document.get("detail") or "")

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong with each field, by the field's last name."""
        errors = self.document.get("errors") or []
        return {e["pointer"].rpartition("/")[2]: e["detail"] for e in errors}


class Unreachable(Exception):
    """The API does not answer."""


class Api:
    """Commands take a key, so that a form that is sent twice acts once."""

    def __init__(self, http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers

    async def get(self, path: str, **params: object) -> Json:
        answer = await self._answer("GET", path, params=_given(params))
        body: Json = answer.json()
        return body

    async def rows(self, path: str, **params: object) -> list[Json]:
        """The first page of a list."""
        data: list[Json] = (await self.get(path, **params))["data"]
        return data

    async def every(self, path: str, most: int, **params: object) -> list[Json]:
        """A list up to `most` rows, from as many pages as it takes."""
        rows: list[Json] = []
        cursor: str | None = None
        while len(rows) < most:
            page = await self.get(path, limit=200, cursor=cursor, **params)
            rows += page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return rows[:most]

    async def download(
        self, path: str, *, accept: str = "*/*", **params: object
    ) -> tuple[bytes, str]:
        """A file and its type, such as a label."""
        headers = {"Accept": accept}
        answer = await self._answer("GET", path, params=_given(params), headers=headers)
        return answer.content, answer.headers.get("content-type", "")

    async def post(self, path: str, body: Json | None, key: str | None = None) -> Json:
        headers = {"Idempotency-Key": part(key or str(uuid.uuid4()))}
        answer = await self._answer("POST", path, json=body, headers=headers)
        known: Json = answer.json() if answer.content else {}
        return known

    async def put(self, path: str, body: Json) -> Json:
        answer = await self._answer("PUT", path, json=body)
        known: Json = answer.json()
        return known

    async def patch(self, path: str, body: Json, version: object) -> Json:
        headers = {"If-Match": f'"{part(str(version))}"'}
        answer = await self._answer("PATCH", path, json=body, headers=headers)
        known: Json = answer.json()
        return known

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        after: str | None = None,
        *,
        accept: str = "text/event-stream",
        **params: Any,
    ) -> AsyncIterator[httpx2.Response]:
        headers = self._with({"Accept": accept})
        if after:
            headers["Last-Event-ID"] = part(after)
        async with self._http.stream(
            "GET",
            path,
            params=_given(params),
            headers=headers,
            timeout=httpx2.Timeout(TIMEOUT_SECONDS, read=None),
        ) as answer:
            yield answer

    def _with(self, headers: dict[str, str]) -> dict[str, str]:
        traced: dict[str, str] = {}
        propagate.inject(traced)
        return {**traced, **self._headers, **headers}

    async def _answer(
        self, method: str, path: str, headers: dict[str, str] | None = None, **sent: Any
    ) -> httpx2.Response:
        if not _PATH.fullmatch(path):
            # Somebody typed an id that the API cannot have.
            raise ApiProblem(NOT_FOUND, {})
        try:
            answer = await self._http.request(
                method, path, headers=self._with(headers or {}), **sent
            )
        except httpx2.TransportError as error:
            raise Unreachable(type(error).__name__) from error
        if answer.is_error:
            raise problem_of(answer)
        return answer


def problem_of(answer: httpx2.Response) -> ApiProblem:
    try:
        document = answer.json()
    except ValueError:
        document = {"title": answer.reason_phrase}
    return ApiProblem(answer.status_code, document)


def part(text: str) -> str:
    """One part of a path or a header, with anything that somebody typed escaped."""
    return quote(text, safe="")


def _given(params: dict[str, object]) -> dict[str, Any]:
    return {n: v for n, v in params.items() if v is not None and v != "" and v != []}
