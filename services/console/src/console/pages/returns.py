"""Returns: what comes back, and what is paid for it."""

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from shared.contracts.money import share

from console.api import ApiProblem, Json
from console.display import sum_of
from console.pages.forms import Key
from console.person import SignedIn
from console.templating import page, tell
from console.words import NEXT_STEPS

router = APIRouter(prefix="/returns")

PAGE = 50
STATUSES = ("requested", "approved", "received", "closed", "rejected", "expired")


@router.get("")
async def list_returns(
    request: Request, person: SignedIn, status: str = "", cursor: str = ""
) -> Response:
    chosen = status if status in STATUSES else ""
    found = await person.api.get(
        "/v1/returns", status=chosen, limit=PAGE, cursor=cursor
    )
    return page(
        request,
        "returns.html",
        rows=found["data"],
        next_cursor=found["next_cursor"],
        statuses=STATUSES,
        chosen=chosen,
    )


@router.post("/find")
async def find(request: Request, person: SignedIn, code: str = Form("")) -> Response:
    """Whatever is on the box: the return, or the order's number."""
    code = code.strip().removeprefix("#")
    if code.startswith("ret_"):
        return RedirectResponse(f"/returns/{code}", 303)
    rows = await person.api.rows("/v1/returns", order=code)
    awaited = [row for row in rows if row["status"] == "approved"] or rows
    if awaited:
        return RedirectResponse(f"/returns/{awaited[0]['id']}", 303)
    answer = RedirectResponse("/returns", 303)
    return tell(request, answer, f"No return is called {code}.", "bad")


@router.get("/{return_id}")
async def show(request: Request, return_id: str, person: SignedIn) -> Response:
    found = await person.api.get(f"/v1/returns/{return_id}")
    order = None
    if person.may("orders:read"):
        order = await person.api.get(f"/v1/orders/{found['order_id']}")
    return page(
        request, "return.html", it=found, order=order, prices=_prices(found, order)
    )


def _prices(found: Json, order: Json | None) -> dict[int, list[str]]:
    """What is paid back for 0, 1, 2 … accepted units of a line: a part costs the
    difference of two rounded totals, as the API will book it."""
    if order is None:
        return {}
    lines = {line["line"]: line for line in order["lines"]}
    shown: dict[int, list[str]] = {}
    for back in found["lines"]:
        line = lines[back["line"]]
        total, units, credited = (
            line["total"]["amount"],
            line["quantity"],
            line["credited"],
        )
        shown[back["line"]] = [
            sum_of(share(total, units, credited, n), order["currency"])
            for n in range(back["quantity"] + 1)
        ]
    return shown


@router.post("/{return_id}/receive")
async def receive(
    request: Request, return_id: str, person: SignedIn, key: Key
) -> Response:
    form = await request.form()
    lines = [
        {
            "line": int(name.removeprefix("accepted-")),
            "accepted": int(str(value) or 0),
            "disposition": str(
                form.get(f"disposition-{name.removeprefix('accepted-')}", "restock")
            ),
        }
        for name, value in form.multi_items()
        if name.startswith("accepted-")
    ]
    body: Json = {"lines": lines}
    if place := str(form.get("location", "")).strip():
        body["location"] = place
    return await _act(request, return_id, person, "receive", body, key)


@router.post("/{return_id}/{decision}")
async def decide(
    request: Request,
    return_id: str,
    decision: str,
    person: SignedIn,
    key: Key,
    note: str = Form(""),
) -> Response:
    if decision not in ("approve", "reject"):
        return RedirectResponse(f"/returns/{return_id}", 303)
    body = {"note": note} if note.strip() else {}
    return await _act(request, return_id, person, decision, body, key)


async def _act(
    request: Request, return_id: str, person: SignedIn, what: str, body: Json, key: str
) -> Response:
    answer = RedirectResponse(f"/returns/{return_id}", 303)
    try:
        await person.api.post(f"/v1/returns/{return_id}/{what}", body, key)
    except ApiProblem as problem:
        told = "; ".join(problem.errors.values()) or problem.detail
        step = NEXT_STEPS.get(problem.code, "")
        return tell(request, answer, f"{problem.title}. {told} {step}", "bad")
    return tell(request, answer, "Done.")


@router.get("/{return_id}/label")
async def label(request: Request, return_id: str, person: SignedIn) -> Response:
    content, kind = await person.api.download(f"/v1/returns/{return_id}/label")
    return Response(content, media_type=kind)
