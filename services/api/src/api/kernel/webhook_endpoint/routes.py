"""Webhook endpoints of other systems, and their signing secrets."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.database.engine import Connection
from shared.database.ids import new_id

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems, problems_of_bodies, response_headers
from api.http.paging import ListQuery, page_response
from api.http.paging import text as text_of
from api.http.problems import invalid
from api.http.schemas import Nothing, Page
from api.kernel.delivery import queries as deliveries
from api.kernel.delivery.schemas import Delivery
from api.kernel.feed.routes import Feed
from api.kernel.paths import EndpointPath
from api.kernel.personal_data import log_read
from api.kernel.webhook_endpoint import changes, queries
from api.kernel.webhook_endpoint import schemas as shown
from api.kernel.webhook_endpoint.checks import check_secret, check_types, check_url

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhook endpoints"])

LONGEST_BACK = timedelta(days=30)

Reader = Annotated[Principal, allowed("webhooks:read", "webhooks:write")]
Writer = Annotated[Principal, allowed("webhooks:write")]


@router.post(
    "",
    status_code=201,
    response_model=shown.WebhookEndpoint,
    responses=keyed(
        *("insecure-endpoint", "private-address", "unknown-event-type"),
        *("weak-secret", "cursor-ahead", "too-many-endpoints"),
    )
    | {201: response_headers("Location")},
)
async def create_webhook_endpoint(
    caller: Writer, wanted: shown.NewWebhookEndpoint, idempotent: Idempotent, deps: Deps
) -> Response:
    """Register a URL that receives events. Read its signing secret at `…/secret`."""
    await check_url(wanted.url, deps.settings.webhook_networks)
    check_types(wanted.types, deps.event_types)
    check_secret(wanted.secret)
    position = await Feed(deps, ()).position(wanted.after, "#/after")

    async def work(connection: Connection, command: Command) -> StoredResponse:
        id = new_id("whe")
        await changes.create_endpoint(connection, id, wanted, position, caller.subject)
        endpoint = await queries.read_endpoint_by(connection, id)
        where = {"Location": f"/v1/webhook-endpoints/{id}"}
        return StoredResponse(201, endpoint, where)

    return await idempotent.transaction(caller, wanted, work)


@router.get("", response_model=Page[shown.WebhookEndpoint], responses=problems())
async def list_webhook_endpoints(
    request: Request, caller: Reader, query: Annotated[ListQuery, Query()], deps: Deps
) -> Response:
    """List all endpoints, oldest first."""
    (after,) = query.position(request, text_of) or [None]
    async with deps.engine.connect() as connection:
        rows = await connection.execute(
            queries.PAGE, {"after": after, "rows": query.limit + 1}
        )
    return page_response(
        request, rows, query.limit, queries.show_endpoint, lambda row: (row.id,)
    )


@router.get("/{endpoint_id}", responses=problems("not-found"))
async def get_webhook_endpoint(
    caller: Reader, endpoint_id: EndpointPath, deps: Deps
) -> shown.WebhookEndpoint:
    """Show an endpoint, its position in the feed and since when it has been failing."""
    return await queries.read_endpoint(deps, endpoint_id)


@router.patch(
    "/{endpoint_id}",
    responses=problems_of_bodies(
        *("not-found", "insecure-endpoint", "private-address", "unknown-event-type")
    ),
)
async def change_webhook_endpoint(
    caller: Writer,
    endpoint_id: EndpointPath,
    wanted: shown.WebhookEndpointPatch,
    deps: Deps,
) -> shown.WebhookEndpoint:
    """Change the given fields. Deliveries continue from the same position."""
    await queries.read_endpoint(deps, endpoint_id)
    if wanted.url is not None:
        await check_url(wanted.url, deps.settings.webhook_networks)
    check_types(wanted.types or (), deps.event_types)
    given = wanted.model_dump(exclude_unset=True)
    for name, value in given.items():
        if value is None and name != "description":
            raise invalid(f"#/{name}", "missing", "Cannot be taken away")
    if given:
        await changes.change_endpoint(deps.engine, endpoint_id, given, caller.subject)
    return await queries.read_endpoint(deps, endpoint_id)


@router.delete("/{endpoint_id}", status_code=204, responses=problems("not-found"))
async def delete_webhook_endpoint(
    caller: Writer, endpoint_id: EndpointPath, deps: Deps
) -> None:
    """Delete an endpoint and its deliveries. To pause it, disable it instead."""
    await changes.delete_endpoint(deps.engine, endpoint_id, caller.subject)


@router.post(
    "/{endpoint_id}/disable",
    response_model=shown.WebhookEndpoint,
    responses=keyed("not-found"),
)
async def disable_webhook_endpoint(
    caller: Writer,
    endpoint_id: EndpointPath,
    wanted: Nothing,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Pause deliveries. Once enabled again, the endpoint receives everything it has
    missed."""

    async def work(command: Command) -> StoredResponse:
        await changes.disable_endpoint(
            deps.engine, endpoint_id, command.key, caller.subject
        )
        return StoredResponse(200, await queries.read_endpoint(deps, endpoint_id))

    return await idempotent.run(caller, wanted, work)


@router.post(
    "/{endpoint_id}/enable",
    response_model=shown.WebhookEndpoint,
    responses=keyed("not-found"),
)
async def enable_webhook_endpoint(
    caller: Writer,
    endpoint_id: EndpointPath,
    wanted: Nothing,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Resume deliveries where they stopped, and retry pending ones at once."""

    async def work(command: Command) -> StoredResponse:
        await changes.enable_endpoint(
            deps.engine, endpoint_id, command.key, caller.subject
        )
        return StoredResponse(200, await queries.read_endpoint(deps, endpoint_id))

    return await idempotent.run(caller, wanted, work)


@router.get("/{endpoint_id}/secret", responses=problems("not-found"))
async def get_webhook_secret(
    caller: Writer, endpoint_id: EndpointPath, deps: Deps
) -> shown.WebhookSecret:
    """Show the signing secrets. Each read is logged."""
    secret = await queries.read_secret(deps, endpoint_id)
    log_read(caller, "webhook secret", endpoint_id)
    return secret


@router.post(
    "/{endpoint_id}/rotate-secret",
    response_model=shown.WebhookEndpoint,
    responses=keyed("not-found", "weak-secret"),
)
async def rotate_webhook_secret(
    caller: Writer,
    endpoint_id: EndpointPath,
    wanted: shown.Rotation,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Replace the signing secret. The old one also signs for `overlap_hours`, so that
    the receiver can switch in between."""
    check_secret(wanted.secret)

    async def work(command: Command) -> StoredResponse:
        await changes.rotate_secret(
            deps.engine, endpoint_id, wanted, command.key, caller.subject
        )
        return StoredResponse(200, await queries.read_endpoint(deps, endpoint_id))

    return await idempotent.run(caller, wanted, work)


@router.post(
    "/{endpoint_id}/test",
    status_code=202,
    response_model=Delivery,
    responses=keyed("not-found", "wrong-state"),
)
async def test_webhook_endpoint(
    caller: Writer,
    endpoint_id: EndpointPath,
    wanted: Nothing,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Send a `webhook_endpoint.test` event. Its delivery shows the answer shortly
    after."""

    async def work(connection: Connection, command: Command) -> StoredResponse:
        await queries.read_endpoint_by(connection, endpoint_id)
        id = await changes.send_test(connection, endpoint_id)
        delivery = await deliveries.read_delivery(connection, endpoint_id, id)
        return StoredResponse(202, delivery)

    return await idempotent.transaction(caller, wanted, work)


@router.post(
    "/{endpoint_id}/redeliver",
    status_code=202,
    response_model=shown.WebhookEndpoint,
    responses=keyed("not-found", "wrong-state"),
)
async def redeliver_events(
    caller: Writer,
    endpoint_id: EndpointPath,
    wanted: shown.Redelivery,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Send all events since a time again, including delivered ones. Receivers recognise
    repeats by their `webhook-id`."""
    age = datetime.now(UTC) - wanted.since
    if not timedelta() <= age <= LONGEST_BACK:
        raise invalid("#/since", "since", "Must lie within the last 30 days")

    async def work(connection: Connection, command: Command) -> StoredResponse:
        await queries.read_endpoint_by(connection, endpoint_id)
        await changes.redeliver_since(connection, endpoint_id, wanted.since)
        endpoint = await queries.read_endpoint_by(connection, endpoint_id)
        return StoredResponse(202, endpoint)

    return await idempotent.transaction(caller, wanted, work)
