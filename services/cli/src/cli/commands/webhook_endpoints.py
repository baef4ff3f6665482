"""Where other systems hear of events, and what was delivered to them."""

from typing import Annotated

import typer

from cli.display import Column, done, field, moment, show_list, show_one
from cli.options import KeyOption, LimitOption, Output, OutputOption, WatchOption, given
from cli.problems import Json
from cli.session import session
from cli.words import DeliveryStatus, since

app = typer.Typer(help="Webhooks to other systems.", no_args_is_help=True)

PATH = "/v1/webhook-endpoints"

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="whe_…")]
TypeOption = Annotated[
    list[str] | None,
    typer.Option("--type", help="order.placed, shipment.* or *; repeat it for more."),
]
OwnerOption = Annotated[
    str, typer.Option("--owner", help="The mail address that gets reports of failures.")
]
SecretOption = Annotated[
    str | None,
    typer.Option(help="whsec_ and base64.", show_default="one is made"),
]

ENDPOINTS: tuple[Column, ...] = (
    ("endpoint", field("id")),
    ("url", field("url")),
    ("types", field("types")),
    ("status", field("status")),
    ("failing since", moment("failing_since")),
    ("owner", field("owner_email")),
)
FACTS: tuple[Column, ...] = (
    *ENDPOINTS,
    ("description", field("description")),
    ("told up to", field("position")),
    ("failures in a row", field("failures")),
    ("left alone until", moment("rests_until")),
    ("old secret until", moment("previous_secret_until")),
    ("created", moment("created_at")),
)
DELIVERIES: tuple[Column, ...] = (
    ("delivery", field("id")),
    ("type", field("type")),
    ("subject", field("subject")),
    ("status", field("status")),
    ("attempts", field("attempts")),
    ("answer", lambda row: row["response_status"] or row["error"]),
    ("ms", field("latency_ms")),
    ("last", moment("last_attempt_at")),
    ("next", moment("next_attempt_at")),
    ("begins with", lambda row: (row["response_head"] or "")[:40] or None),
)


@app.command("list")
def list_endpoints(
    limit: LimitOption = 100,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List all endpoints."""
    show_list(lambda: session().api.rows(PATH, limit), ENDPOINTS, output, watch=watch)


@app.command("show")
def show_endpoint(
    endpoint: EndpointArgument, output: OutputOption = Output.table
) -> None:
    """Show an endpoint's position in the feed, and since when it has been failing."""
    show_one(session().api.get(f"{PATH}/{endpoint}"), FACTS, output)


@app.command("create")
def create_endpoint(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://…")],
    owner: OwnerOption,
    types: TypeOption = None,
    description: Annotated[str | None, typer.Option()] = None,
    secret: SecretOption = None,
    after: Annotated[
        str | None,
        typer.Option(help="Begin after this id of the feed.", show_default="now on"),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Register a URL that receives events."""
    body: Json = {"url": url, "owner_email": owner, "types": types or ["*"]}
    body |= given(description=description, secret=secret, after=after)
    made = session().api.command(PATH, body, key)
    done(
        made,
        output,
        f"Endpoint {made['id']} hears of {', '.join(made['types'])}. Its secret:"
        f" orders webhook-endpoint secret {made['id']}",
    )


@app.command("change")
def change_endpoint(
    endpoint: EndpointArgument,
    url: Annotated[str | None, typer.Option()] = None,
    owner: Annotated[
        str | None, typer.Option(help="The mail address that gets reports of failures.")
    ] = None,
    types: TypeOption = None,
    description: Annotated[str | None, typer.Option()] = None,
    output: OutputOption = Output.table,
) -> None:
    """Change the given options. Deliveries continue from the same position."""
    given = {
        "url": url,
        "owner_email": owner,
        "types": types,
        "description": description,
    }
    body = {name: value for name, value in given.items() if value}
    if not body:
        raise typer.BadParameter("Say what to change: --url, --type, --owner")
    changed = session().api.patch(f"{PATH}/{endpoint}", body)
    done(changed, output, f"Endpoint {endpoint} is changed.")


@app.command("enable")
def enable_endpoint(
    endpoint: EndpointArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Resume deliveries where they stopped, and retry failed ones at once."""
    answer = session().api.command(f"{PATH}/{endpoint}/enable", {}, key)
    done(answer, output, f"Endpoint {endpoint} is told on from {answer['position']}.")


@app.command("disable")
def disable_endpoint(
    endpoint: EndpointArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Pause deliveries. Once enabled again, the endpoint receives everything it has
    missed."""
    answer = session().api.command(f"{PATH}/{endpoint}/disable", {}, key)
    done(answer, output, f"Nothing is sent to endpoint {endpoint}.")


@app.command("delete")
def delete_endpoint(endpoint: EndpointArgument) -> None:
    """Delete an endpoint and its deliveries."""
    session().api.delete(f"{PATH}/{endpoint}")
    session().out.print(f"Endpoint {endpoint} is deleted.", markup=False)


@app.command("secret")
def show_secret(
    endpoint: EndpointArgument, output: OutputOption = Output.table
) -> None:
    """Show the signing secrets. Each read is logged."""
    found = session().api.get(f"{PATH}/{endpoint}/secret")
    done(found, output, found["secret"])


@app.command("rotate-secret")
def rotate_secret(
    endpoint: EndpointArgument,
    secret: SecretOption = None,
    overlap: Annotated[
        int,
        typer.Option(min=0, max=168, help="Hours for which the old secret also signs."),
    ] = 24,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Replace the signing secret. The old one also signs for a while, so that the
    receiver can switch."""
    body: Json = {"overlap_hours": overlap}
    if secret is not None:
        body["secret"] = secret
    answer = session().api.command(f"{PATH}/{endpoint}/rotate-secret", body, key)
    done(
        answer,
        output,
        f"Give the receiver the new one within {overlap} hours:"
        f" orders webhook-endpoint secret {endpoint}",
    )


@app.command("test")
def try_endpoint(
    endpoint: EndpointArgument,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Send webhook_endpoint.test, and show the endpoint's answer."""
    api = session().api
    sent = api.command(f"{PATH}/{endpoint}/test", {}, key)
    answered = api.until(
        f"{PATH}/{endpoint}/deliveries/{sent['id']}",
        lambda delivery: delivery["attempts"] > 0,
        "The endpoint has not answered",
    )
    said = answered["response_status"] or answered["error"]
    done(
        answered,
        output,
        f"{answered['status']}: {said} after {answered['latency_ms']} ms."
        f" {answered['response_head'] or ''}".rstrip(),
    )


@app.command("deliveries")
def list_deliveries(
    endpoint: EndpointArgument,
    status: Annotated[DeliveryStatus | None, typer.Option()] = None,
    type: Annotated[str | None, typer.Option(help="order.placed or refund.*")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only this subject: ord_…")
    ] = None,
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List what was sent to an endpoint, the newest events first."""
    path = f"{PATH}/{endpoint}/deliveries"
    filters = {"status": status, "type": type, "subject": subject}
    show_list(
        lambda: session().api.rows(path, limit, **filters),
        DELIVERIES,
        output,
        watch=watch,
    )


@app.command("redeliver")
def redeliver(
    endpoint: EndpointArgument,
    delivery: Annotated[
        str | None, typer.Argument(metavar="[DELIVERY]", help="Such as 742-1093.")
    ] = None,
    from_time: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="All events since then: 2h, 3d, 2026-11-30."
        ),
    ] = None,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Send one event again, or all events since a time. Receivers recognise repeats by
    their webhook-id."""
    if (delivery is None) == (from_time is None):
        raise typer.BadParameter("Give a delivery, or --since")
    path = f"{PATH}/{endpoint}"
    if delivery is not None:
        again = session().api.command(
            f"{path}/deliveries/{delivery}/redeliver", {}, key
        )
        done(again, output, f"{again['type']} of {again['subject']} is sent once more.")
        return
    body = {"since": since(from_time)}
    answer = session().api.command(f"{path}/redeliver", body, key)
    done(answer, output, f"All after {answer['position']} is sent once more.")
