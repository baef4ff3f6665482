"""Describes problems in the OpenAPI document."""

from collections import defaultdict
from typing import Any

from api.http.problems import PROBLEMS, ProblemDocument

_PROBLEM = "application/problem+json"
_ALWAYS = (
    *("unauthenticated", "link-expired", "insufficient-scope", "validation"),
    *("too-many-requests", "unavailable"),
)
_OF_BODIES = ("malformed", "too-large", "unsupported-media-type")


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these codes."""
    return open_problems(*codes, *_ALWAYS)


def problems_of_bodies(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The same for a route that takes a body."""
    return problems(*codes, *_OF_BODIES)


def webhook_problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The same for a route that knows its callers by their signatures."""
    return open_problems(*codes, *_OF_BODIES, "unavailable")


def open_problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The same for a route that is open to everybody."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[PROBLEMS[code][0]].append(code)
    return {
        status: {
            "description": "; ".join(PROBLEMS[code][1] for code in sorted(found)),
            "content": {
                _PROBLEM: {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                    "examples": {
                        code: {"$ref": f"#/components/examples/{code}"}
                        for code in sorted(found)
                    },
                }
            },
        }
        for status, found in sorted(by_status.items())
    }


def keyed(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The same for a route that takes an Idempotency-Key."""
    return problems_of_bodies(
        *codes, "idempotency-key-missing", "idempotency-key-reused"
    )


_RESPONSE_HEADERS = {
    "ETag": "The order's version, for `If-Match`.",
    "Idempotency-Replayed": "`true`: this was answered before under the same key.",
    "Link": 'The next page, as `rel="next"`; left out by the last one.',
    "Location": "Where to find what was made.",
    "Preference-Applied": "The preference that was heeded.",
    "Retry-After": "Seconds to wait before the same is sent again.",
}


def response_headers(*names: str) -> dict[str, dict[str, Any]]:
    """The `headers` of an answer that may have these."""
    return {
        "headers": {
            name: {"description": _RESPONSE_HEADERS[name], "schema": {"type": "string"}}
            for name in names
        }
    }


def complete(document: dict[str, Any]) -> None:
    """Add what FastAPI cannot know: the headers that operations require and answer
    with. Each problem is described once, and operations refer to it."""
    components = document.setdefault("components", {})
    problems: dict[str, Any] = {}
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
            problems |= _refer_to_problems(operation)
    components["responses"] = dict(sorted(problems.items()))
    codes = sorted({code for name in problems for code in name.split(".")})
    components["examples"] = {code: _example(code) for code in codes}


def _refer_to_problems(operation: dict[str, Any]) -> dict[str, Any]:
    """Replace an operation's problems by references; returns them by name."""
    found = {
        ".".join(answer["content"][_PROBLEM]["examples"]): (status, answer)
        for status, answer in operation["responses"].items()
        if _PROBLEM in answer.get("content", {})
    }
    for name, (status, _) in found.items():
        operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return {name: answer for name, (_, answer) in found.items()}


_NEEDED = ("idempotency-key", "if-match")


def _complete(operation: dict[str, Any]) -> None:
    asked = {one["name"]: one for one in operation.get("parameters", ())}
    for name in asked.keys() & set(_NEEDED):
        asked[name]["required"] = True
        asked[name]["schema"] = {"type": "string"}
    answered_with = {
        "2": [
            *(["Idempotency-Replayed"] if "idempotency-key" in asked else []),
            *(["Link"] if "cursor" in asked else []),
        ],
        "429": ["Retry-After"],
        "503": ["Retry-After"],
    }
    for status, answer in operation["responses"].items():
        names = answered_with.get(status) or answered_with.get(status[0]) or []
        if names and status != "204":
            answer.setdefault("headers", {}).update(response_headers(*names)["headers"])


def _example(code: str) -> dict[str, Any]:
    status, title = PROBLEMS[code]
    document = ProblemDocument(
        type=f"https://api.example.com/problems/{code}",
        title=title,
        status=status,
        detail=title + ".",
        instance="/v1/orders",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    return {"value": document.model_dump(exclude_none=True)}
