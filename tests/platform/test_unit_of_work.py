"""The one transaction in which facts change: once for a key, all or nothing, told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr
from shared.contracts.errors import NotFound, Refusal
from shared.database.engine import Engine, connector
from shared.database.kernel.tables import Hold
from shared.database.kernel.unit_of_work import CHANNEL, UnitOfWork, change
from shared.database.listen import Listener
from shared.database.orders.tables import Order, OrderLine
from shared.platform.settings import DatabaseSettings
from sqlalchemy import text

from tests.support.transactions import undone

AT_ONCE = 20


class Answer(BaseModel):
    number: int


@pytest.fixture
async def subject(engine: Engine) -> str:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO orders (id, customer, status, currency, shipping_method,"
                " total) VALUES ('ord_1', 'c', 'placed', 'EUR', 'standard', 0)"
            )
        )
    return "ord_1"


async def apply_once(
    engine: Engine, subject: str, key: str | None, number: int
) -> Answer:
    async def apply(pending: UnitOfWork) -> Answer:
        pending.event("thing.done", number=number)
        return Answer(number=number)

    return await change(
        engine, Order, subject, key=key, actor="test", apply=apply, result=Answer
    )


async def events(engine: Engine) -> list[tuple[int, int]]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT seq, (data ->> 'number')::int FROM events ORDER BY seq")
        )
        return [(row[0], row[1]) for row in rows]


async def test_the_same_key_gets_the_first_answer(engine: Engine, subject: str) -> None:
    first = await apply_once(engine, subject, "key", 1)
    again = await apply_once(engine, subject, "key", 2)
    assert first == again == Answer(number=1)
    assert await events(engine) == [(1, 1)]


async def test_a_command_without_an_event_leaves_the_subject_as_it_was_read(
    engine: Engine, subject: str
) -> None:
    """Lists and ETags take what has the same version for the same."""

    async def apply(_: UnitOfWork) -> Answer:
        return Answer(number=1)

    read = text("SELECT version, updated_at FROM orders WHERE id = :id")
    async with engine.connect() as connection:
        before = (await connection.execute(read, {"id": subject})).one()
        await change(
            *(engine, Order, subject),
            key="key",
            actor="test",
            apply=apply,
            result=Answer,
        )
        assert (await connection.execute(read, {"id": subject})).one() == before
    assert await apply_once(engine, subject, "key", 2) == Answer(number=1)


async def test_many_with_one_key_have_one_effect(engine: Engine, subject: str) -> None:
    answers = await asyncio.gather(
        *(apply_once(engine, subject, "key", n) for n in range(AT_ONCE))
    )
    assert len({answer.number for answer in answers}) == 1
    assert len(await events(engine)) == 1


async def test_events_have_no_gap_however_many_change_at_once(
    engine: Engine, subject: str
) -> None:
    await asyncio.gather(
        *(apply_once(engine, subject, None, n) for n in range(AT_ONCE))
    )
    async with engine.connect() as connection:
        version = await connection.scalar(text("SELECT version FROM orders"))
    assert [seq for seq, _ in await events(engine)] == list(range(1, AT_ONCE + 1))
    assert version == AT_ONCE


async def test_a_refusal_changes_nothing(engine: Engine, subject: str) -> None:
    async def apply(pending: UnitOfWork) -> Answer:
        pending.event("thing.done", number=1)
        await pending.connection.execute(text("UPDATE orders SET total = 5"))
        raise Refusal("no", "Not today.")

    with pytest.raises(Refusal):
        await change(
            engine,
            Order,
            subject,
            key="key",
            actor="test",
            apply=apply,
            result=Answer,
        )
    assert await events(engine) == []
    assert await apply_once(engine, subject, "key", 2) == Answer(number=2)


async def test_what_is_not_there_cannot_change(engine: Engine) -> None:
    with pytest.raises(NotFound):
        await apply_once(engine, "ord_2", None, 1)


async def test_a_password_file_that_is_spoiled_ends_no_listening(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "password").write_text("no text: \xff", encoding="latin-1")
    settings = DatabaseSettings(
        database_url=SecretStr(database), database_password_file=tmp_path / "password"
    )
    listener = Listener(connector(settings, application="listening"), CHANNEL)
    listener.start()
    with listener.subscribe(CHANNEL) as wake:
        assert not await wake.wait(0.2)
        (tmp_path / "password").write_text("a password")
        assert await wake.wait(20), "it does not listen"
    await listener.stop()
    assert "UnicodeDecodeError" in caplog.text
    assert "no text" not in caplog.text


@pytest.fixture
def listener(database: str) -> Listener:
    settings = DatabaseSettings(database_url=SecretStr(database))
    return Listener(connector(settings, application="listening"), CHANNEL)


async def test_whoever_waits_for_a_subject_is_woken(
    engine: Engine, subject: str, listener: Listener
) -> None:
    listener.start()
    with listener.subscribe(CHANNEL, subject) as wake:
        assert await wake.wait(20), "it does not listen"
        await apply_once(engine, subject, None, 1)
        assert await wake.wait(20)
    await listener.stop()


async def test_a_lost_connection_is_a_reason_to_look(
    engine: Engine, subject: str, listener: Listener
) -> None:
    listener.start()
    with listener.subscribe(CHANNEL, subject) as wake:
        assert await wake.wait(20), "it does not listen"
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'listening'"
                    " AND datname = current_database()"
                )
            )
        # What was announced in between is not known: so everybody looks.
        assert await wake.wait(20)
        await apply_once(engine, subject, None, 1)
        assert await wake.wait(20)
    await listener.stop()


# ── rows ────────────────────────────────────────────────────────────────────────────


async def after(
    engine: Engine, work: Callable[[UnitOfWork], Awaitable[None]], query: str
) -> tuple[object, ...]:
    """What `query` finds after `work`, of which nothing stays."""
    async with undone(engine) as connection:
        unit = UnitOfWork(connection, "ord_1", "test", "orders")
        await work(unit)
        await unit.flush()
        return tuple((await connection.execute(text(query))).one())


async def test_columns_are_set_and_counters_raised_in_one_update(
    engine: Engine, subject: str
) -> None:
    async def work(pending: UnitOfWork) -> None:
        for _ in range(2):
            await pending.update(
                Order,
                subject,
                add={"goodwill": 3, "shipping_credited": 0},
                currency="USD",
            )
        await pending.update(Order, subject, add={"goodwill": 0})

    query = "SELECT goodwill, shipping_credited, currency FROM orders"
    assert await after(engine, work, query) == (6, 0, "USD")


async def test_rows_are_inserted_and_found_again_by_their_key(
    engine: Engine, subject: str
) -> None:
    def line(number: int) -> dict[str, object]:
        numbers = {"line": number, "qty": 2, "total": 10, "tax": 1}
        return {"order_id": subject, "sku": "S", "name": "N", **numbers}

    async def work(pending: UnitOfWork) -> None:
        await pending.insert(OrderLine, line(1), line(2))
        await pending.insert(OrderLine)
        second = {"order_id": subject, "line": 2}
        await pending.update(OrderLine, second, add={"reserved": 1})

    query = "SELECT array_agg(reserved ORDER BY line) FROM order_lines"
    assert await after(engine, work, query) == ([0, 1],)


async def test_many_rows_are_written_by_one_statement(
    engine: Engine, subject: str
) -> None:
    async def work(pending: UnitOfWork) -> None:
        keys = [{"id": f"hld_{n}"} for n in range(10)]
        hold = {"subject": subject, "root": subject, "placed_by": "test"}
        await pending.insert(
            Hold,
            *(
                {**key, **hold, "reason": key["id"], "detail": {"of": [key["id"]]}}
                for key in keys
            ),
        )
        await pending.flush()
        for key in keys:
            await pending.update(Hold, key, detail={**key}, assignee=key["id"])

    query = "SELECT count(*), bool_and(detail ->> 'id' = assignee) FROM holds"
    assert await after(engine, work, query) == (10, True)


async def test_a_row_takes_the_place_that_another_has_just_left(
    engine: Engine, subject: str
) -> None:
    async def work(pending: UnitOfWork) -> None:
        hold = {"subject": subject, "root": subject, "placed_by": "test"}
        await pending.insert(Hold, {"id": "hld_1", "reason": "stock", **hold})
        gone = datetime.now(UTC)
        await pending.update(Hold, "hld_1", released_at=gone, decision="wait")
        await pending.insert(Hold, {"id": "hld_2", "reason": "stock", **hold})

    query = "SELECT array_agg(id ORDER BY id) FROM holds WHERE reason = 'stock'"
    assert await after(engine, work, query) == (["hld_1", "hld_2"],)


async def test_whoever_asks_sees_what_was_written_before(
    engine: Engine, subject: str
) -> None:
    async def work(pending: UnitOfWork) -> None:
        await pending.update(Order, subject, goodwill=3)
        await pending.update(Order, subject, add={"goodwill": 4})
        seen = await pending.connection.scalar(text("SELECT goodwill FROM orders"))
        await pending.update(Order, subject, add={"goodwill": seen})

    assert await after(engine, work, "SELECT goodwill FROM orders") == (14,)


@pytest.mark.parametrize(
    "work",
    [
        lambda pending: pending.update(Order, "ord_1", statsu="placed"),
        lambda pending: pending.update(Order, "ord_1", add={"goodwil": 1}),
        lambda pending: pending.update(Order, {"idd": "ord_1"}, status="placed"),
        lambda pending: pending.insert(Order, {"id": "ord_2", "statsu": "placed"}),
    ],
    ids=["set", "added", "key", "inserted"],
)
async def test_a_column_that_is_not_there_is_an_error(
    engine: Engine, subject: str, work: Callable[[UnitOfWork], Awaitable[None]]
) -> None:
    with pytest.raises(LookupError, match="orders has no"):
        await after(engine, work, "SELECT")
