"""Contacts, mails and notes of an order."""

from typing import Annotated

import typer

from cli.commands.order_names import order_id
from cli.display import Column, done, field, moment, show_list, show_one
from cli.options import KeyOption, LimitOption, OrderArgument, Output, OutputOption
from cli.problems import Json
from cli.session import session

app = typer.Typer()

ADDRESS = (
    *("name", "company", "street", "street2", "city", "region"),
    *("postal_code", "country"),
)
ADDRESSES = ("ship_to", "bill_to")
CONTACT: tuple[Column, ...] = (
    ("order", field("order_id")),
    ("name", field("name")),
    ("email", field("email")),
    ("phone", field("phone")),
    ("locale", field("locale")),
    ("ship to", lambda contact: address(contact["ship_to"])),
    ("bill to", lambda contact: address(contact["bill_to"])),
)
MESSAGES: tuple[Column, ...] = (
    ("seq", field("seq")),
    ("message", field("type")),
    ("status", field("status")),
    ("sent", moment("sent_at")),
    ("next try", moment("next_at")),
    ("tries", field("attempts")),
    ("why not", field("error")),
)
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Correct a field: name, email, phone, locale, ship_to.postal_code,"
        " bill_to.city and so on. Without a value it is removed.",
    ),
]


@app.command("contact")
def show_contact(
    order: OrderArgument,
    correct: SetOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Show or correct an order's contact and addresses.

    An order on an address hold continues once its address passes the check."""
    found = order_id(order)
    if correct:
        _correct(found, correct)
    show_one(session().api.get(f"/v1/orders/{found}/contact"), CONTACT, output)


def _correct(order: str, fields: list[str]) -> None:
    api = session().api
    version = api.get(f"/v1/orders/{order}")["version"]
    api.patch(f"/v1/orders/{order}/contact", _patch(fields), f'"{version}"')


def _patch(fields: list[str]) -> Json:
    patch: Json = {}
    for text in fields:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not FIELD=VALUE")
        part, dot, inner = name.partition(".")
        if dot and part in ADDRESSES:
            patch.setdefault(part, {})[inner] = value or None
        else:
            patch[name] = value or None
    return patch


def address(address: Json | None) -> str | None:
    if address is None:
        return None
    given = (address[name] for name in ADDRESS)
    return ", ".join(value for value in given if value)


NOTES: tuple[Column, ...] = (
    ("at", moment("at")),
    ("by", field("actor")),
    ("about", field("about")),
    ("note", field("text")),
)


@app.command("notes")
def list_notes(
    order: OrderArgument,
    limit: LimitOption = 50,
    output: OutputOption = Output.table,
) -> None:
    """List the notes about an order."""
    path = f"/v1/orders/{order_id(order)}/notes"
    show_list(lambda: session().api.rows(path, limit), NOTES, output)


@app.command("note")
def add_note(
    order: OrderArgument,
    text: Annotated[str, typer.Argument(help="For colleagues who work on it next.")],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Add a note about an order."""
    path = f"/v1/orders/{order_id(order)}/notes"
    answer = session().api.command(path, {"text": text}, key)
    done(answer, output, f"Noted by {answer['actor']}.")


@app.command("messages")
def list_messages(
    order: OrderArgument,
    limit: LimitOption = 50,
    output: OutputOption = Output.table,
) -> None:
    """List the mails about an order, and whether they left."""
    path = f"/v1/orders/{order_id(order)}/messages"
    show_list(lambda: session().api.rows(path, limit), MESSAGES, output)


@app.command("resend")
def resend_message(
    order: OrderArgument,
    seq: Annotated[int, typer.Argument(help="The mail's number in `orders messages`.")],
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Send a mail again, to the current address."""
    path = f"/v1/orders/{order_id(order)}/messages/{seq}/resend"
    answer = session().api.command(path, None, key)
    done(answer, output, f"{answer['type']} is sent once more.")
