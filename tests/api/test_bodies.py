"""What a body may hold follows from the operation's description: its largest is let in,
and more is refused before anybody looks for mistakes."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from api.http.admission import MAX_VALUES, check_structure
from api.http.bodies import SPARE, most_values
from api.http.paging import ListQuery
from api.http.schemas import Request
from pydantic import BaseModel, TypeAdapter

from tests.api.shop import Shop, code, key

OPENAPI = json.loads(
    (Path(__file__).parents[2] / "services/api/openapi.json").read_text()
)
BODIES = set(
    re.findall(
        r'"#/components/schemas/(\w+)"',
        json.dumps(
            [
                operation.get("requestBody")
                for operations in OPENAPI["paths"].values()
                for operation in operations.values()
            ]
        ),
    )
)


def models(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in of.__subclasses__():
        yield model
        yield from models(model)


SENT = {
    model.__name__: model
    for kind in (Request, ListQuery)
    for model in models(kind)
    if model.__name__ in BODIES
}


def largest(schema: Mapping[str, Any], named: Mapping[str, Any]) -> object:
    """With every field, and lists as long as they may be."""
    if "$ref" in schema:
        return largest(named[schema["$ref"].rpartition("/")[2]], named)
    if "anyOf" in schema:
        choices = [largest(choice, named) for choice in schema["anyOf"]]
        return max(choices, key=lambda choice: len(json.dumps(choice)))
    if schema.get("type") == "array":
        return [largest(schema["items"], named)] * schema["maxItems"]
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        return {name: largest(field, named) for name, field in fields.items()}
    return 1


def test_the_largest_body_of_each_operation_is_within_its_limit() -> None:
    assert SENT.keys() == BODIES
    for name, model in SENT.items():
        most = most_values(model)
        if most < MAX_VALUES:
            schema = TypeAdapter(model).json_schema()
            body = json.dumps(largest(schema, schema.get("$defs", {}))).encode()
            values = check_structure(body).values
            assert values <= most - SPARE <= 2 * values, name


def test_every_list_of_a_body_ends_at_its_first_mistake() -> None:
    """So that no caller has us find, and write down, thousands."""

    def lists(schema: object) -> Iterator[Mapping[str, Any]]:
        if isinstance(schema, Mapping):
            if schema.get("type") == "list":
                yield schema
            for part in schema.values():
                yield from lists(part)
        elif isinstance(schema, list | tuple):
            for part in schema:
                yield from lists(part)

    for name, model in SENT.items():
        for found in lists(TypeAdapter(model).core_schema):
            assert found.get("fail_fast"), f"{name}: {found['items_schema']}"
            assert found.get("max_length"), f"{name}: {found['items_schema']}"


NO_RETURN = "/v1/returns/ret_01k00000000000000000000000/reject"


@pytest.mark.parametrize(
    ("path", "name"),
    [(NO_RETURN, "ReturnDecision"), ("/v1/stock/adjustments", "Adjustment")],
)
async def test_more_values_than_an_operation_takes_are_refused(
    shop: Shop, path: str, name: str
) -> None:
    """As many as that are the schema's matter."""
    most = most_values(SENT[name])
    for over, told in ((0, (422, "validation")), (1, (413, "too-large"))):
        body = {"lines": [0] * (most - 4 + over)}
        assert check_structure(json.dumps(body).encode()).values == most + over
        answer = await shop.client.post(path, json=body, headers=key())
        assert (answer.status_code, code(answer)) == told


@pytest.mark.parametrize(
    "body",
    [
        '{"reason": "a", "reason": "b"}',
        '{"reason": "a", "lines": [{"line": 1, "quantity": 1, "line": 2}]}',
        '{"reason": "a", "n\\u006fte": ":", "note": "\\":\\\\"}',
    ],
)
async def test_no_member_is_named_twice_however_it_is_written(
    shop: Shop, body: str
) -> None:
    path = "/v1/orders/ord_01k00000000000000000000000/cancellations"
    headers = key() | {"Content-Type": "application/json"}
    answer = await shop.client.post(path, content=body, headers=headers)
    assert (answer.status_code, code(answer)) == (400, "malformed")
