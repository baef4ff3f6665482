"""What the forms of several pages share."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from console.api import ApiProblem, Json
from console.templating import flash
from console.words import next_step_of

Key = Annotated[str, Form(min_length=1, max_length=100)]
"""Made with the form: sent twice, it acts once."""
Note = Annotated[str, Form(max_length=2000)]


def units(form: FormData, prefix: str) -> dict[int, int]:
    """Units by line: fields such as `units-1`. Raises `ApiProblem`."""
    try:
        found = {
            int(name.removeprefix(prefix)): int(str(value))
            for name, value in form.multi_items()
            if name.startswith(prefix) and str(value).strip()
        }
    except ValueError:
        raise refused("Units are whole numbers.") from None
    return {line: n for line, n in found.items() if n}


def lines(given: dict[int, int]) -> list[dict[str, int]]:
    return [{"line": line, "quantity": n} for line, n in sorted(given.items())]


def refused(detail: str) -> ApiProblem:
    """A form that is not complete, said as the API says it."""
    return ApiProblem(422, {"title": "This is not complete yet", "detail": detail})


def why(problem: ApiProblem) -> str:
    """Why the API refused an action, and what to do about it."""
    wrong = "; ".join(f"{name}: {said}" for name, said in problem.errors.items())
    step = next_step_of(problem.code)
    return f"{problem.title}. {wrong or problem.detail} {step}".strip()


async def act(
    request: Request, to: str, work: Awaitable[Json], done: str | Callable[[Json], str]
) -> Response:
    """Show the page `to` with a message: what was done, or why it was refused."""
    answer = RedirectResponse(to, 303)
    try:
        result = await work
    except ApiProblem as problem:
        return flash(request, answer, why(problem), "bad")
    return flash(request, answer, done if isinstance(done, str) else done(result))
