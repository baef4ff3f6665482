"""`/problems`: explains each code, for people who follow a problem's `type`."""

from fastapi import APIRouter
from shared.contracts.errors import NotFound

from api.http.openapi import open_problems
from api.http.problems import PROBLEMS
from api.http.schemas import Page, View

router = APIRouter(prefix="/problems", tags=["problems"])


class ProblemKind(View):
    code: str
    status: int
    title: str


@router.get("")
async def list_problems() -> Page[ProblemKind]:
    """List every code that a problem may have."""
    return Page[ProblemKind](data=[_kind(code) for code in sorted(PROBLEMS)])


@router.get("/{code}", responses=open_problems("not-found"))
async def get_problem(code: str) -> ProblemKind:
    """Explain one code: a problem's `type` leads here."""
    if code not in PROBLEMS:
        raise NotFound("such problem")
    return _kind(code)


def _kind(code: str) -> ProblemKind:
    status, title = PROBLEMS[code]
    return ProblemKind(code=code, status=status, title=title)
