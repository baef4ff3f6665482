"""Locations: where goods lie, and what is sent from where."""

from typing import Annotated
from urllib.parse import quote

import typer

from cli.commands.contact import address
from cli.display import Column, done, field, show_list, show_one
from cli.options import LimitOption, Output, OutputOption, WatchOption, given
from cli.problems import ApiProblem, CliError, Json
from cli.session import session

app = typer.Typer(
    help="Locations: where goods lie and are sent from.", no_args_is_help=True
)

COLUMNS: tuple[Column, ...] = (
    ("location", field("code")),
    ("name", field("name")),
    ("active", field("active")),
    ("priority", field("priority")),
    ("safety stock", field("safety_stock")),
    ("country", lambda one: (one["address"] or {}).get("country")),
)
FACTS: tuple[Column, ...] = (
    *COLUMNS[:5],
    ("address", lambda one: address(one["address"])),
)
PARTS = ("name", "company", "street", "street2", "city", "region", "postal_code")
NEW: Json = {"address": None, "active": True, "priority": 100, "safety_stock": 0}


@app.command("list")
def list_locations(
    active: Annotated[
        bool | None,
        typer.Option(
            "--active/--inactive", help="Only these locations.", show_default=False
        ),
    ] = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List locations."""
    only = None if active is None else str(active).lower()
    show_list(
        lambda: session().api.rows("/v1/locations", limit, active=only),
        COLUMNS,
        output,
        watch=watch,
    )


@app.command("show")
def show_location(code: str, output: OutputOption = Output.table) -> None:
    """Show a location."""
    show_one(session().api.get(path_of(code)), FACTS, output)


@app.command("put")
def put_location(
    code: str,
    name: Annotated[
        str | None,
        typer.Option(help="The name that people use.", show_default="the code"),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            metavar="FIELD=VALUE",
            help=f"Repeat for each of {', '.join(PARTS)}, country.",
        ),
    ] = None,
    active: Annotated[
        bool | None,
        typer.Option(
            "--active/--inactive",
            help="Whether goods are sent from there.",
            show_default=False,
        ),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(min=0, help="The lower, the sooner it is chosen. New: 100."),
    ] = None,
    safety_stock: Annotated[
        int | None,
        typer.Option(min=0, help="Units of each product that stay there. New: 0."),
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Create a location, or change it. Options that are left out stay as they are."""
    known = _known(code)
    body = known | given(
        name=name, active=active, priority=priority, safety_stock=safety_stock
    )
    if address:
        body["address"] = _address(known["address"] or {}, address)
    answer = session().api.put(path_of(code), body)
    state = "active" if answer["active"] else "not active"
    done(
        answer,
        output,
        f"{code} is {state}, priority {answer['priority']},"
        f" safety stock {answer['safety_stock']}.",
    )


def path_of(code: str) -> str:
    return f"/v1/locations/{quote(code, safe='')}"


def _known(code: str) -> Json:
    try:
        known = session().api.get(path_of(code))
    except ApiProblem as problem:
        if problem.status != 404:
            raise
        return NEW | {"name": code}
    return {key: value for key, value in known.items() if key != "code"}


def _address(known: Json, parts: list[str]) -> Json:
    changed = dict(known)
    for part in parts:
        key, found, value = part.partition("=")
        if not found or key not in (*PARTS, "country"):
            raise typer.BadParameter(f"{part!r} is not like city=Berlin")
        changed[key] = value or None
    missing = [key for key in ("name", "street", "country") if not changed.get(key)]
    if missing:
        raise CliError(f"The address lacks {', '.join(missing)}.")
    return given(**changed)
