"""One key, one effect, one answer (draft-ietf-httpapi-idempotency-key-header-07).

An answer is stored under the caller and the key, and a repeat gets it again. What is
not stored, a 5xx, leaves the key open: the same request may simply be sent again.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from shared.database.engine import Connection, Engine, retry_serialization
from shared.database.rows import Row
from sqlalchemy import TextClause, text
from temporalio.exceptions import ApplicationError

from api.http.auth import Principal
from api.http.problems import Problem, from_refusal, problem_response

_KEY = re.compile(r'(?!")[\x21-\x7e]{1,200}(?<!")')


class KeyReused(Problem):
    def __init__(self) -> None:
        super().__init__(
            "idempotency-key-reused", "This Idempotency-Key belongs to another request."
        )


@dataclass(frozen=True)
class StoredResponse:
    """An answer in a form that can be stored and repeated. If it is not `final` it is
    not stored: the same request may be sent again, and the rest of it is tried once
    more."""

    status: int
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)
    final: bool = True

    @cached_property
    def written(self) -> str:
        """The body as stored and sent; writing one of 500 lines takes milliseconds."""
        return self.body.model_dump_json()

    def response(self) -> Response:
        return _response(self.status, self.written, self.headers)


@dataclass(frozen=True)
class Reading:
    """What a command needs to know of its subject: SQL for one text, and its
    parameters. It is read together with the key."""

    sql: str
    values: Mapping[str, object]


NOTHING = Reading("cast(NULL AS text)", {})


@dataclass(frozen=True)
class Claim:
    """The row of a key. `memo` is what the first request noted for all repeats, and
    `about` what was read with it."""

    fingerprint: bytes
    status: int | None
    headers: str | None
    body: str
    about: str | None = None

    @property
    def memo(self) -> Mapping[str, str]:
        memo: Mapping[str, str] = json.loads(self.body)
        return memo

    def replay(self) -> Response:
        assert self.status is not None  # noqa: S101 - the caller has looked
        headers = json.loads(self.headers or "{}") | {"Idempotency-Replayed": "true"}
        return _response(self.status, self.body, headers)


class IdempotentRequest:
    """The caller's key for this request; `command_key` names it to workflows."""

    def __init__(self, request: Request, engine: Engine, key: str) -> None:
        self._request = request
        self._engine = engine
        self._key = key

    def _for(self, caller: Principal, payload: BaseModel | None) -> "_Keyed":
        return _Keyed(self._request, self._engine, self._key, caller, payload)

    async def run(
        self,
        caller: Principal,
        payload: BaseModel | None,
        work: Callable[["Command"], Awaitable[StoredResponse]],
        *,
        memo: Mapping[str, str] | None = None,
        about: Reading = NOTHING,
    ) -> Response:
        """Do work that is safe to repeat under `Command.key`, as workflows are. The key
        is claimed first and the answer stored last, so no connection is held meanwhile.
        Two simultaneous requests both do the work, which has one effect."""
        keyed = self._for(caller, payload)
        async with self._engine.connect() as connection:
            claim = await keyed.claim(connection, memo or {}, about)
        if claim.status is not None:
            return claim.replay()
        try:
            command = Command(keyed.command_key, claim.memo, claim.about)
            answer = await work(command)
        except (Problem, ApplicationError) as error:
            return await keyed.store_refusal(error)
        if answer.final:
            async with self._engine.connect() as connection:
                await keyed.store(connection, answer)
        return answer.response()

    async def transaction(
        self,
        caller: Principal,
        payload: BaseModel | None,
        work: Callable[[Connection, "Command"], Awaitable[StoredResponse]],
    ) -> Response:
        """Do work in one transaction, together with its key. Others with the same key
        wait for its end, and then get its answer."""
        keyed = self._for(caller, payload)

        async def once() -> Response:
            async with self._engine.begin() as connection:
                claim = await keyed.claim(connection, {})
                if claim.status is not None:
                    return claim.replay()
                answer = await work(connection, Command(keyed.command_key, {}))
                await keyed.store(connection, answer)
            return answer.response()

        try:
            return await retry_serialization(once)
        except (Problem, ApplicationError) as error:
            return await keyed.store_refusal(error)

    async def statement(
        self,
        caller: Principal,
        payload: BaseModel | None,
        work: Callable[[Connection, "Answering"], Awaitable[StoredResponse | None]],
    ) -> Response:
        """Do work in one statement, which begins with `CLAIMED` and takes the
        parameters of `Answering`. `work` returns nothing if the key was taken; its
        statement must then have changed nothing."""
        keyed = self._for(caller, payload)

        async def once() -> Response:
            async with self._engine.connect() as connection:
                while True:
                    answer = await work(connection, keyed.answering)
                    if answer is not None:
                        return answer.response()
                    claim = await keyed.find(connection)
                    if claim is not None:
                        return claim.replay()

        try:
            return await retry_serialization(once)
        except (Problem, ApplicationError) as error:
            return await keyed.store_refusal(error)


Answering = Callable[[StoredResponse], Mapping[str, object]]
"""The parameters of `CLAIMED` for an answer."""
CLAIMED = """
    claimed AS (
      INSERT INTO idempotency_keys (principal, key, fingerprint, status, headers, body)
      VALUES (:principal, :key, :fingerprint, :answered, cast(:headers AS jsonb),
        cast(:body AS jsonb))
      ON CONFLICT DO NOTHING RETURNING key)
"""
"""SQL that claims the key and stores the answer; it returns no row if the key is
taken."""


@dataclass(frozen=True)
class Command:
    """`key` is unique to this caller, this request and this key."""

    key: str
    memo: Mapping[str, str]
    about: str | None = None


class _Keyed:
    def __init__(
        self,
        request: Request,
        engine: Engine,
        key: str,
        caller: Principal,
        payload: BaseModel | None,
    ) -> None:
        self._request = request
        self._engine = engine
        self._who: dict[str, object] = {"principal": caller.subject, "key": key}
        place = f"{request.method} {request.url.path}"
        self._fingerprint = fingerprint(place, payload)
        # Includes the path, since an expired key may be used elsewhere.
        self.command_key = _digest(caller.subject, key, place).hex()[:40]

    async def claim(
        self,
        connection: Connection,
        memo: Mapping[str, str],
        about: Reading = NOTHING,
    ) -> Claim:
        """Claim the key, or find its row. Raises `Problem` if the key was used for
        another request."""
        values = {
            **about.values,
            **self._who,
            "fingerprint": self._fingerprint,
            "body": json.dumps(dict(memo)),
        }
        row = None
        while row is None:
            # Empty if another request committed the key while we waited: only a new
            # statement sees that.
            rows = await connection.execute(_claiming(about.sql), values)
            row = rows.one_or_none()
        return self._checked(row)

    async def find(self, connection: Connection) -> Claim | None:
        """Find the row of the key, if any. Raises `Problem` if the key was used for
        another request."""
        row = (await connection.execute(_FIND, self._who)).one_or_none()
        return None if row is None else self._checked(row)

    def _checked(self, row: Row) -> Claim:
        claim = Claim(*row)
        if claim.fingerprint != self._fingerprint and not _is_older(claim.fingerprint):
            raise KeyReused()
        return claim

    def answering(self, answer: StoredResponse) -> Mapping[str, object]:
        return self._who | {
            "fingerprint": self._fingerprint,
            "answered": answer.status,
            "headers": json.dumps(dict(answer.headers)),
            "body": answer.written,
        }

    async def store(self, connection: Connection, answer: StoredResponse) -> None:
        await self._store(connection, answer.status, answer.headers, answer.written)

    async def store_refusal(self, error: Problem | ApplicationError) -> Response:
        problem = error if isinstance(error, Problem) else from_refusal(error)
        response = problem_response(self._request, problem)
        if problem.status_code < 500 and not isinstance(problem, KeyReused):
            async with self._engine.begin() as connection:
                claim = await self.claim(connection, {})
                if claim.status is not None:
                    return claim.replay()
                body = bytes(response.body).decode()
                await self._store(connection, problem.status_code, {}, body)
        return response

    async def _store(
        self,
        connection: Connection,
        status: int,
        headers: Mapping[str, str],
        body: str,
    ) -> None:
        await connection.execute(
            _STORE,
            self._who
            | {"status": status, "headers": json.dumps(dict(headers)), "body": body},
        )


_FIND = text(
    """
    SELECT fingerprint, status, headers::text, body::text FROM idempotency_keys
    WHERE principal = :principal AND key = :key
    """
)


@cache
def _claiming(about: str) -> TextClause:
    return text(
        f"""
        WITH claimed AS (
          INSERT INTO idempotency_keys (principal, key, fingerprint, body)
          VALUES (:principal, :key, :fingerprint, cast(:body AS jsonb))
          ON CONFLICT DO NOTHING RETURNING fingerprint, status, headers, body
        )
        SELECT fingerprint, status, headers::text, body::text, ({about}) AS about
        FROM (
          SELECT fingerprint, status, headers, body FROM claimed
          UNION ALL
          SELECT fingerprint, status, headers, body FROM idempotency_keys
          WHERE principal = :principal AND key = :key) AS known
        """  # noqa: S608 - our own words
    )


_STORE = text(
    """
    UPDATE idempotency_keys SET status = :status, headers = cast(:headers AS jsonb),
      body = cast(:body AS jsonb)
    WHERE principal = :principal AND key = :key AND status IS NULL
    """
)


def fingerprint(place: str, payload: BaseModel | None) -> bytes:
    """A hash of the request, of only what was sent: a release that knows more fields
    with defaults computes the same."""
    body = payload.model_dump_json(exclude_unset=True) if payload else ""
    return _FORM + _digest(place, body)


_FORM = b"1:"
"""What fingerprints of this form begin with."""


def _is_older(fingerprint: bytes) -> bool:
    """Of a build before 1.0.0, which also counted fields that were not sent: nothing to
    compare with, so that a request is believed which is sent again after the upgrade.
    Retention forgets the last of them within a week."""
    return len(fingerprint) == hashlib.sha256().digest_size


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _response(status: int, body: str, headers: Mapping[str, str]) -> Response:
    problem = status >= 400
    media_type = "application/problem+json" if problem else "application/json"
    return Response(body, status, headers=dict(headers), media_type=media_type)


async def _once(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(description="Names this request; a repeat gets the same answer."),
    ] = None,
) -> IdempotentRequest:
    # The draft writes it as a structured field, a quoted string; most write it bare.
    key = (idempotency_key or "").strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key:
        raise Problem("idempotency-key-missing", "Send an Idempotency-Key header.")
    if not _KEY.fullmatch(key):
        raise Problem(
            "malformed",
            "One Idempotency-Key is sent, of 1 to 200 printable ASCII characters.",
        )
    return IdempotentRequest(request, request.app.state.deps.engine, key)


Idempotent = Annotated[IdempotentRequest, Depends(_once)]
