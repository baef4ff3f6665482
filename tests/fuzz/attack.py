"""Requests that fit the committed OpenAPI document, or just do not, and what must hold
whatever they are."""

import asyncio
import json
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import requests
import schemathesis
from hypothesis import given
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, CheckContext
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation, BaseSchema
from shared.database.engine import Engine
from sqlalchemy import text

from tests.fuzz.exploring import SEED, amount, explored
from tests.fuzz.possible import Ids, body_of, path_of

T = TypeVar("T")
Operation = APIOperation[Any, Any, Any, Any]
Check = Callable[[CheckContext, Response, Case[Any]], bool | None]

OPENAPI = Path(__file__).parents[2] / "services/api/openapi.json"
PATIENCE_SECONDS = 30
"""Nothing may take longer, `Prefer: wait=30` apart, which is never sent."""
# One of events lives as long as its order.
_NO_STREAM = {"Accept": "*/*"}
_SAFE = ("GET", "HEAD", "OPTIONS")
# The answer to a wrong request is kept under its key, so that a repeat gets it again.
_MAY_CHANGE = ("idempotency_keys",)
_AS_DOCUMENTED = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def load_schema(ids: Ids) -> BaseSchema:
    """The committed document, with requests that are mostly about what exists."""
    schema = schemathesis.openapi.from_dict(json.loads(OPENAPI.read_text()))

    @schema.hook
    def map_path_parameters(_: Any, given: dict[str, Any] | None) -> Any:
        return given and path_of(ids, given)

    @schema.hook
    def map_headers(_: Any, given: dict[str, Any] | None) -> Any:
        return given and {n: v for n, v in given.items() if n.lower() != "prefer"}

    @schema.hook
    def map_body(_: Any, given: Any) -> Any:
        return body_of(given)

    return schema


def _documented() -> list[Check]:
    return cast(list[Check], CHECKS.get_by_names(_AS_DOCUMENTED))


def _is_python_s(finding: Exception) -> bool:
    """Until 3.11.8 two threads may disturb each other in `ast`, which Hypothesis reads
    sources with (CPython's gh-106905). It says so before a request is sent."""
    told = "".join(traceback.format_exception(finding))
    return "SystemError: AST constructor recursion depth mismatch" in told


def _code(problem: Any) -> str:
    return str(problem["type"].rpartition("/")[2])


def _codes(case: Case[Any], response: Response) -> set[str]:
    """Those that the operation is described with, and those that any may have."""
    answers = case.operation.definition.raw["responses"]
    answer = answers.get(str(response.status_code), {})
    if "$ref" in answer:
        # A problem's name is made of the codes that it may have.
        codes = answer["$ref"].removeprefix("#/components/responses/").split(".")
    else:
        # Schemathesis resolves an answer that leads to other operations.
        content = answer.get("content", {}).get("application/problem+json", {})
        codes = list(content.get("examples", {}))
    return {"head-too-large", "method-not-allowed", *codes}


class Attack:
    """One caller's requests to the API at `url`, sent from a thread of their own."""

    def __init__(
        self,
        schema: BaseSchema,
        url: str,
        engine: Engine,
        headers: dict[str, str],
        *,
        alone: bool,
    ) -> None:
        """`alone`: nobody else works, so that only a request can change something."""
        self.schema = schema
        self.answers: list[int] = []
        self._url = url
        self._engine = engine
        self._headers = headers
        self._alone = alone
        self._loop = asyncio.get_running_loop()
        self._session = requests.Session()
        self._state = ""

    async def run(
        self,
        few: int,
        only: Callable[[Operation], bool],
        modes: Sequence[GenerationMode] = tuple(GenerationMode),
    ) -> None:
        """`modes`: with requests that fit the description, that do not, or both."""
        await asyncio.to_thread(self._run, few, only, modes)

    def _run(
        self,
        few: int,
        only: Callable[[Operation], bool],
        modes: Sequence[GenerationMode],
    ) -> None:
        self._state = self._look()
        findings: list[Exception] = []
        with self._session:
            for operation in filter(only, self.operations()):
                for mode in modes:
                    try:
                        self._explore(operation, mode, few)
                    except Exception as finding:
                        if not _is_python_s(finding):
                            findings.append(finding)
        print("answers by status:", Counter(self.answers))
        if findings:
            raise ExceptionGroup(f"seed {SEED}, unless another is given", findings)

    def operations(self) -> Iterator[Operation]:
        for found in self.schema.get_all_operations():
            assert isinstance(found, Ok)
            yield found.ok()

    def _explore(self, operation: Operation, mode: GenerationMode, few: int) -> None:
        @explored(few)
        @given(case=operation.as_strategy(generation_mode=mode))
        def every_answer_is_in_order(case: Case[Any]) -> None:
            self.send(case)

        try:
            every_answer_is_in_order()
        except Unsatisfiable:
            # Nothing can be wrong about a request in which there is nothing to choose.
            assert mode is GenerationMode.NEGATIVE

    async def run_stories(self, few: int, steps: int) -> None:
        """Requests that go on from what earlier ones were answered."""
        await asyncio.to_thread(self._tell, few, steps)

    def _tell(self, few: int, steps: int) -> None:
        self._state = self._look()
        attack, stories = self, self.schema.as_state_machine()

        class Story(stories):  # type: ignore[valid-type, misc]
            def call(self, case: Case[Any], **_: Any) -> Response:
                return attack.call(case)

            def validate_response(
                self, response: Response, case: Case[Any], **_: Any
            ) -> None:
                attack.check(case, response)

        with self._session:
            Story.run(settings=amount(few, steps))

    def send(self, case: Case[Any]) -> None:
        self.check(case, self.call(case))

    def call(self, case: Case[Any]) -> Response:
        response = case.call(
            base_url=self._url,
            session=self._session,
            headers=self._headers | self._key() | _NO_STREAM,
            timeout=PATIENCE_SECONDS,
        )
        self.answers.append(response.status_code)
        return response

    def _key(self) -> dict[str, str]:
        """Three of four requests get a key of their own: those that are generated are
        seldom new, and a repeat is only told the same again."""
        count = len(self.answers)
        return {"Idempotency-Key": f"key-{count}"} if count % 4 else {}

    def check(self, case: Case[Any], response: Response) -> None:
        told = f"{case.as_curl_command()}\n{response.status_code} {response.text}"
        if response.status_code >= 500:
            assert response.status_code == 503, told
            assert "retry-after" in response.headers, told
        if response.status_code >= 400:
            problem = response.json()
            assert problem["status"] == response.status_code, told
            assert problem["trace_id"], told
            assert _code(problem) in _codes(case, response), told
        case.validate_response(response, checks=_documented())
        if not self._alone:
            return
        before, self._state = self._state, self._look()
        if case.method.upper() in _SAFE or 400 <= response.status_code < 500:
            assert self._state == before, f"something changed by\n{told}"

    def _look(self) -> str:
        return self._in_loop(fingerprint(self._engine)) if self._alone else ""

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def fingerprint(engine: Engine) -> str:
    """All that is in the database: another one means that something has changed."""
    async with engine.connect() as connection:
        tables = await connection.scalars(
            text(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
                " ORDER BY table_name"
            )
        )
        parts = [
            f"SELECT coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '')"
            f" FROM {table} t"
            for table in tables
            if table not in _MAY_CHANGE
        ]
        whole = await connection.scalars(text(" UNION ALL ".join(parts)))
        return " ".join(whole)


async def known_ids(engine: Engine) -> Ids:
    """What exists, by the names of the parameters in paths."""
    tables = {
        "order_id": "orders",
        "shipment_id": "shipments",
        "return_id": "returns",
        "refund_id": "refunds",
        "hold_id": "holds",
        "discrepancy_id": "discrepancies",
    }
    async with engine.connect() as connection:
        found = {
            name: list(await connection.scalars(text(f"SELECT id FROM {table}")))
            for name, table in tables.items()
        }
        found["sku"] = list(await connection.scalars(text("SELECT sku FROM products")))
    return found | {"source": ["stripe", "carrier", "easypost"]}
