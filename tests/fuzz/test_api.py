"""The API under requests that nobody would write: no 500, no hang, no change by one
that is refused; with a worker and without, for callers of every kind."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from api.app import create_app
from fastapi import FastAPI
from schemathesis import GenerationMode
from shared.database.engine import Engine
from temporalio.client import Client

from tests.api.conftest import MakeSettings, make_settings
from tests.api.serving import serving
from tests.api.shop import Shop, as_user, eur
from tests.api.test_access import Issuer, bearer, token
from tests.conftest import API, Work
from tests.fuzz.attack import Attack, Operation, known_ids, load_schema
from tests.fuzz.exploring import is_long
from tests.support import infrastructure
from tests.support.audits import assert_books_balance
from tests.support.peers import Host

__all__ = ["make_settings"]

FEW = 2
WELL_FORMED = tuple(GenerationMode) if is_long() else (GenerationMode.POSITIVE,)
"""In the short form; what is not is refused to everybody, as the first test sees."""
OPEN = ("/problems", "/v1/webhooks")


@pytest.fixture
async def app(
    make_settings: MakeSettings, temporal: Client, services: infrastructure.Services
) -> FastAPI:
    return create_app(
        make_settings(
            temporal_host=services.temporal,
            temporal_namespace=temporal.namespace,
            # Without a worker each command waits for so long.
            api_command_timeout=timedelta(seconds=0.05),
        )
    )


@pytest.fixture
async def history(
    make_settings: MakeSettings,
    temporal: Client,
    services: infrastructure.Services,
    work: Work,
    host: Host,
) -> None:
    """A shop in which everything has happened once."""
    settings = make_settings(
        temporal_host=services.temporal, temporal_namespace=temporal.namespace
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        host.peer(app, API) as api,
        work(carrier="manual"),
    ):
        shop = Shop(api.http)
        await shop.sell()
        await shop.receive(20)
        for _ in range(2):
            order = await shop.confirmed_order()
            await shop.pack(await shop.shipment(order))
        held = await shop.confirmed_order()
        await shop.post(f"/v1/orders/{held['id']}/holds", {"note": "look"})
        await shop.post(
            f"/v1/orders/{order['id']}/refunds",
            {"reason": "goodwill", "note": "sorry", "amount": eur(100)},
        )


@pytest.fixture
async def at_work(
    app: FastAPI, history: None, work: Work, host: Host
) -> AsyncIterator[str]:
    """The API's address, where a worker and the provider's webhooks come as well."""
    async with (
        serving(app) as (_, url),
        host.peer(app, API),
        work(carrier="manual"),
    ):
        yield url


def needs_a_token(operation: Operation) -> bool:
    return not operation.path.startswith(OPEN)


def every(_: Operation) -> bool:
    return True


async def test_without_a_worker_nothing_changes_by_a_request_that_is_refused(
    app: FastAPI, history: None, engine: Engine, database: str
) -> None:
    schema = load_schema(await known_ids(engine))
    async with serving(app) as (_, url):
        attack = Attack(schema, url, engine, as_user("eve", "admin"), alone=True)
        await attack.run(FEW, every)
    told = Counter(status // 100 for status in attack.answers)
    assert told[2] > 50, "some are served"
    assert told[4] > 50, "and some are not"
    await assert_books_balance(database)


async def test_with_a_worker_the_books_balance_whatever_is_asked(
    at_work: str, engine: Engine, database: str
) -> None:
    schema = load_schema(await known_ids(engine))
    attack = Attack(schema, at_work, engine, as_user("eve", "admin"), alone=False)
    await attack.run(FEW, every)
    await assert_books_balance(database)


async def test_one_thing_leads_to_another_and_the_books_balance(
    at_work: str, engine: Engine, database: str
) -> None:
    schema = load_schema(await known_ids(engine))
    attack = Attack(schema, at_work, engine, as_user("eve", "admin"), alone=False)
    await attack.run_stories(FEW, steps=15)
    await assert_books_balance(database)


async def test_a_customer_changes_nothing_of_others(
    app: FastAPI, history: None, engine: Engine
) -> None:
    schema = load_schema(await known_ids(engine))
    async with with_tokens(app) as url:
        mallory = bearer(token(sub="mallory"))
        attack = Attack(schema, url, engine, mallory, alone=True)
        await attack.run(
            FEW,
            lambda o: needs_a_token(o) and o.path != "/v1/orders",
            WELL_FORMED,
        )
    assert not {200, 201, 202, 503} & (set(attack.answers) - {200}), (
        "nothing of others exists"
    )


async def test_nobody_gets_in_without_a_token(
    app: FastAPI, history: None, engine: Engine
) -> None:
    schema = load_schema(await known_ids(engine))
    async with with_tokens(app) as url:
        attack = Attack(schema, url, engine, {"Authorization": ""}, alone=True)
        await attack.run(FEW, needs_a_token, WELL_FORMED)
    # What cannot be read is refused before anybody asks who sent it, and whoever comes
    # too often without a token has to wait.
    assert set(attack.answers) - {400, 429} == {401}


@asynccontextmanager
async def with_tokens(app: FastAPI) -> AsyncIterator[str]:
    """The same API as production has it: only an issuer's tokens open it."""
    async with serving(app) as (_, url), Issuer().authenticator() as authenticate:
        app.state.deps.authenticate = authenticate
        yield url
