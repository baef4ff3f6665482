"""The audit of the books."""

import typer

from cli.display import Column, field, show_list
from cli.options import Output, OutputOption
from cli.session import session

app = typer.Typer(help="Audit: whether the books balance.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("view", field("view")),
    ("about", field("subject")),
    ("detail", field("detail")),
)


@app.callback()
def audit() -> None:
    """Audit: whether the books balance."""


@app.command("run")
def run_audit(output: OutputOption = Output.table) -> None:
    """Read the three audit views. Exits with 1 if any of them has a row."""
    found = session().api.get("/v1/audit")
    if output is not Output.table or found["data"]:
        show_list(lambda: found, COLUMNS, output)
    else:
        session().out.print("The books balance: audit_money, audit_stock, audit_ledger")
    if found["data"]:
        raise typer.Exit(1)
