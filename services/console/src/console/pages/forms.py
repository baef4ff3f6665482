"""What the forms of several pages share."""

from typing import Annotated

from fastapi import Form
from starlette.datastructures import FormData

from console.api import ApiProblem

Key = Annotated[str, Form(min_length=1, max_length=100)]
"""Made with the form: sent twice, it acts once."""
Note = Annotated[str, Form(max_length=2000)]


def units(form: FormData, prefix: str) -> dict[int, int]:
    """Units by line: fields such as `units-1`. Raises `ValueError`."""
    found = {
        int(name.removeprefix(prefix)): int(str(value))
        for name, value in form.multi_items()
        if name.startswith(prefix) and str(value).strip()
    }
    return {line: n for line, n in found.items() if n}


def lines(given: dict[int, int]) -> list[dict[str, int]]:
    return [{"line": line, "quantity": n} for line, n in sorted(given.items())]


def refused(detail: str) -> ApiProblem:
    """A form that is not complete, said as the API says it."""
    return ApiProblem(422, {"title": "This is not complete yet", "detail": detail})
