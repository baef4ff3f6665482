"""From an HTTP request to an operation and back: keys, replays, faults."""

import base64
import binascii
import json
import secrets
from contextlib import nullcontext
from dataclasses import dataclass

from fastapi import Request, Response

from simulators.database import Database
from simulators.faults import STORING, Faults, Kind, answer_under_faults
from simulators.payments.answers import (
    Answer,
    StripeError,
    refusal,
    server_error,
)
from simulators.payments.endpoints import Endpoint, find_endpoint
from simulators.payments.form import decode_form, encode_flat
from simulators.payments.idempotency import (
    IdempotencyKeys,
    KeyedRequest,
    checked_key,
)
from simulators.payments.params import Params
from simulators.payments.provider import Cause, Provider


@dataclass(frozen=True)
class Call:
    """A request that is authorised and understood; `keyed` where it has a key."""

    request: Request
    request_id: str
    endpoint: Endpoint
    params: Params
    keyed: KeyedRequest | None

    @property
    def subject(self) -> str:
        return f"{self.request.method} {self.request.url.path}"


class Gateway:
    def __init__(
        self,
        database: Database,
        provider: Provider,
        keys: IdempotencyKeys,
        faults: Faults,
    ) -> None:
        self._database = database
        self._provider = provider
        self._keys = keys
        self._faults = faults

    async def handle(self, request: Request) -> Response:
        """Answer a request to `/v1/…`."""
        request_id = f"req_{secrets.token_hex(7)}"
        try:
            call = await _understood(request, request_id)
            # The key is in use until the answer is out, however slow it is made.
            with self._keys.in_use(call.keyed) if call.keyed else nullcontext():
                return await self._under_faults(call)
        except StripeError as error:
            return _response(error.answer, request_id)

    async def _under_faults(self, call: Call) -> Response:
        async def answer() -> Response:
            self._provider.agenda.run_due()
            with self._provider.running(_cause(call)):
                return self._answer(call)

        def refuse(status: int, code: str | None) -> Response:
            return _response(refusal(status, code), call.request_id)

        return await answer_under_faults(self._faults, call.request, answer, refuse)

    def _answer(self, call: Call) -> Response:
        if call.keyed is None:
            return _response(self._execute(call), call.request_id)
        headers = {"Idempotency-Key": call.keyed.key}
        if replay := self._keys.replay(call.keyed):
            headers["Idempotent-Replayed"] = "true"
            headers["Original-Request"] = replay.original_request
            return _response(replay.answer, call.request_id, headers)
        answer = self._execute_or_break(call, call.keyed)
        return _response(answer, call.request_id, headers)

    def _execute_or_break(self, call: Call, keyed: KeyedRequest) -> Answer:
        broken = {fault.kind for fault in self._faults.strike(call.subject, STORING)}
        if Kind.STORED_ERROR not in broken:
            answer = self._execute(call)
        if broken:
            answer = server_error()
            self._keys.store(keyed, answer)
        return answer

    def _execute(self, call: Call) -> Answer:
        """The effect and the result under its key, in one transaction."""
        try:
            with self._database.transaction():
                answer = self._shown(
                    call, call.endpoint.run(self._provider, call.params)
                )
                if call.keyed:
                    self._keys.store(call.keyed, answer)
        except StripeError as error:
            answer = error.answer
            if call.keyed and error.kept:
                self._keys.store(call.keyed, answer)
        return answer

    def _shown(self, call: Call, done: Answer) -> Answer:
        if done.status != 200:
            return done
        expand = call.params.texts("expand")
        return Answer(200, self._provider.objects.shown(done.body, expand))


async def _understood(request: Request, request_id: str) -> Call:
    account = _account(request)
    endpoint = find_endpoint(request.method, request.url.path)
    posted = request.method == "POST"
    encoded = await request.body() if posted else request.url.query.encode()
    params = Params(decode_form(encoded))
    keyed = _keyed(request, account, params, request_id) if posted else None
    return Call(request, request_id, endpoint, params, keyed)


def _cause(call: Call) -> Cause:
    key = call.keyed.key if call.keyed else None
    return Cause(call.request_id, key, str(call.request.base_url))


def _account(request: Request) -> str:
    """The secret key, which stands for the account. Raises StripeError (401)."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        credentials = _basic_user(credentials)
    if not credentials:
        raise _unauthorized("You did not provide an API key.")
    if not credentials.startswith("sk_test_") or credentials == "sk_test_":
        raise _unauthorized(f"Invalid API Key provided: {credentials[:7]}***")
    return credentials


def _basic_user(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unauthorized(message: str) -> StripeError:
    return StripeError(401, kept=False, type="invalid_request_error", message=message)


def _keyed(
    request: Request, account: str, params: Params, request_id: str
) -> KeyedRequest | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    return KeyedRequest(
        account=account,
        key=checked_key(key),
        path=request.url.path,
        fingerprint=json.dumps(encode_flat(params.values)),
        request_id=request_id,
    )


def _response(
    answer: Answer, request_id: str, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        json.dumps(answer.body),
        status_code=answer.status,
        media_type="application/json",
        headers={"Request-Id": request_id, **(headers or {})},
    )
