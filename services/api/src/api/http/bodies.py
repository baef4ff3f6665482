"""Limits what a body may hold: plain JSON, each member once, and no more values than
the operation's description allows.

Everything is counted before the fields are validated, without a loop over what was
sent.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from fastapi import Header, Request
from pydantic import TypeAdapter

from api.http.admission import MAX_VALUES, Counted
from api.http.problems import Problem

MAX_MEMBERS = 64
"""Members of an object: none of ours has as many, and each unknown one would be an
error to report."""
SPARE = 64
"""Values beyond the description, so that a misspelt field is still reported by name."""

Schema = Mapping[str, Any]


async def only_json(
    request: Request,
    content_type: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    if request.method == "GET" or not await request.body():
        return
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("unsupported-media-type", "Send application/json.")


async def as_described(request: Request) -> None:
    """Raises `Problem` too-large for more values than the operation takes, and
    malformed for a repeated member: of two amounts, two readers may take different ones
    (RFC 8259, 4)."""
    described = request.scope["route"].body_field
    if described is None or not await request.body():
        return
    counted: Counted = request.state.counted
    most = most_values(described.field_info.annotation)
    if counted.values > most:
        raise Problem(
            "too-large",
            f"This operation takes at most {most} values, brackets included.",
        )
    # FastAPI has parsed the body already.
    if _members(await request.json()) < counted.members:
        raise Problem("malformed", "A member is named twice.")


def _members(content: object) -> int:
    """Raises `Problem` for an object with too many."""
    found, inside = 0, [content]
    for value in inside:
        if type(value) is dict:
            if len(value) > MAX_MEMBERS:
                raise Problem(
                    "too-large", f"At most {MAX_MEMBERS} members in an object."
                )
            found += len(value)
            inside += value.values()
        elif type(value) is list:
            inside += value
    return found


@cache
def most_values(described: Any) -> int:
    """The most values, as `Admission` counts them, that a body of this type can
    have."""
    schema = TypeAdapter(described).json_schema()
    return min(MAX_VALUES, _most_values(schema, schema.get("$defs", {})) + SPARE)


def _most_values(schema: Schema, named: Mapping[str, Schema]) -> int:
    """Counts each value, and two brackets for each container."""
    if "$ref" in schema:
        return _most_values(named[schema["$ref"].rpartition("/")[2]], named)
    if choices := schema.get("anyOf", schema.get("oneOf")):
        return max(_most_values(choice, named) for choice in choices)
    match schema.get("type"):
        case "array":
            items: int = schema.get("maxItems", MAX_VALUES)
            return 3 + items * _most_values(schema["items"], named)
        case "object":
            fields = schema.get("properties", {}).values()
            known = 3 + sum(_most_values(field, named) for field in fields)
            if not schema.get("additionalProperties"):
                return known
            more: int = schema.get("maxProperties", MAX_VALUES)
            return known + more
    return 1
