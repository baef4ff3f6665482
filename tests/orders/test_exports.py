"""Files of rows: what is in them, how they are made, and when there is none."""

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import httpx2
import pytest
from shared.contracts.orders.exports import ExportFormat
from shared.contracts.orders.payloads import ExportRef
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from worker.orders.export.activities import ExportActivities
from worker.orders.export.files import text_of

from tests.conftest import OpenShop
from tests.support.shop import PERSONAL, Json, Refused, Shop

Rows = list[dict[str, Any]]


async def asked(shop: Shop, kind: str, **more: Any) -> str:
    return str((await shop.post("/v1/exports", {"kind": kind, **more}))["id"])


async def finished(shop: Shop, export_id: str) -> Json:
    while (export := await shop.get(f"/v1/exports/{export_id}"))["status"] == "running":
        await shop.fetch("SELECT pg_sleep(0.05)")
    return export


async def download(shop: Shop, export_id: str) -> httpx2.Response:
    return await shop.http.get(f"/v1/exports/{export_id}/file")


async def exported(shop: Shop, kind: str, **more: Any) -> Rows:
    """The rows of a file, once it is there."""
    export = await finished(shop, await asked(shop, kind, **more))
    file = await download(shop, export["id"])
    assert len(file.content) == export["bytes"]
    if export["format"] == "csv":
        rows: Rows = list(csv.DictReader(StringIO(file.text)))
    else:
        rows = [json.loads(line) for line in file.text.splitlines()]
    assert len(rows) == export["rows_written"] == export["rows_expected"]
    return rows


def total(rows: Rows, name: str) -> int:
    return sum(int(row[name]) for row in rows)


async def some_trade(shop: Shop) -> None:
    """Orders of several kinds; one was paid back in part."""
    sold = await shop.confirmed(TEA=2, MUG=1)
    await shop.delivered(sold)
    goodwill = {"amount": 250, "currency": "EUR"}
    body = {"reason": "goodwill", "amount": goodwill, "note": PERSONAL["note"]}
    await shop.post(f"/v1/orders/{sold}/refunds", body)
    await shop.until(sold, lambda o: [r.status for r in o.refunds] == ["succeeded"])
    await shop.cancel(await shop.confirmed(TEA=1))
    await shop.confirmed(MUG=2)


async def test_what_is_exported_adds_up_to_the_books(shop: Shop) -> None:
    await some_trade(shop)
    files = {
        kind: await exported(shop, kind, format=form)
        for kind in ("orders", "lines", "refunds", "movements")
        for form in ("csv", "jsonl")
    }
    orders, lines = files["orders"], files["lines"]
    (books,) = await shop.fetch(
        "SELECT sum(captured) AS captured, sum(refunded) AS refunded FROM payments"
    )
    assert total(orders, "captured") == books.captured
    assert total(orders, "refunded") == books.refunded
    assert total(files["refunds"], "amount") == books.refunded
    assert total(lines, "total") == total(orders, "goods")
    assert total(orders, "goods") + total(orders, "shipping") == total(orders, "total")
    moved = Counter[tuple[str, str]]()
    for row in files["movements"]:
        moved[row["sku"], row["location"]] += int(row["on_hand"])
    stock = await shop.fetch("SELECT sku, location, on_hand FROM stock")
    assert moved == {(row.sku, row.location): row.on_hand for row in stock}
    names = {value for rows in files.values() for row in rows for value in row.values()}
    assert names.isdisjoint(PERSONAL.values())


async def test_a_file_has_the_rows_of_its_time(shop: Shop) -> None:
    await shop.confirmed(TEA=1)
    end = datetime.now(UTC)
    await shop.confirmed(TEA=1)
    (before,) = await exported(shop, "orders", created_to=end.isoformat())
    (since,) = await exported(shop, "orders", created_from=end.isoformat())
    assert int(before["number"]) + 1 == int(since["number"])


class Killed(Exception):
    pass


def kill(*_: object) -> None:
    raise Killed


async def test_a_file_goes_on_where_its_writer_was_killed(closed_shop: Shop) -> None:
    shop = closed_shop
    placed = [await shop.place(TEA=1) for _ in range(5)]
    export_id = await asked(shop, "orders", format="jsonl")
    ref = ExportRef(export_id=export_id)
    writer = ExportActivities(shop.engine, chunk_rows=2)

    killed = ActivityEnvironment()
    killed.on_heartbeat = kill
    with pytest.raises(Killed):
        await killed.run(writer.write_export, ref)
    begun = await shop.get(f"/v1/exports/{export_id}")
    assert (begun["status"], begun["rows_written"]) == ("running", 2)

    await ActivityEnvironment().run(writer.write_export, ref)
    await ActivityEnvironment().run(writer.write_export, ref)
    lines = (await download(shop, export_id)).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == placed


async def test_a_file_is_not_begun_before_what_was_under_way(closed_shop: Shop) -> None:
    shop = closed_shop
    await shop.place(TEA=1)
    async with shop.engine.connect() as connection, connection.transaction():
        late = "UPDATE orders SET created_at = created_at - interval '1 minute'"
        await connection.driver.execute(late)
        export_id = await asked(shop, "orders")
        waiting = ActivityEnvironment()
        writer = ExportActivities(shop.engine)
        waiting.on_heartbeat = kill
        with pytest.raises(Killed):
            await waiting.run(writer.write_export, ExportRef(export_id=export_id))
    assert (await shop.get(f"/v1/exports/{export_id}"))["rows_written"] == 0


async def refusal(shop: Shop, **body: Any) -> str:
    with pytest.raises(Refused) as refused:
        await shop.post("/v1/exports", body)
    return refused.value.code


async def test_an_export_that_cannot_be_is_refused(
    open_shop: OpenShop, temporal: Client
) -> None:
    async with open_shop(temporal, export_rows=1) as shop:
        await shop.place(TEA=1)
        await shop.place(TEA=1)
        assert await refusal(shop, kind="orders") == "export-too-large"
        day = "2026-01-01T00:00:00Z"
        ends = {"created_from": day, "created_to": day}
        assert await refusal(shop, kind="orders", **ends) == "validation"
        assert await refusal(shop, kind="people") == "validation"
        for _ in range(3):
            running = await asked(shop, "orders", created_to=day)
        assert await refusal(shop, kind="refunds") == "too-many-exports"
        answer = await download(shop, running)
        assert (answer.status_code, problem(answer)) == (409, "export-not-ready")
        await shop.http.delete(f"/v1/exports/{running}")
        answer = await download(shop, running)
        assert (answer.status_code, problem(answer)) == (410, "export-expired")
        await asked(shop, "refunds")


def problem(answer: httpx2.Response) -> str:
    return str(answer.json()["type"]).rpartition("/")[2]


async def test_a_file_is_for_those_who_may_read_its_rows(shop: Shop) -> None:
    def who(*scopes: str) -> dict[str, str]:
        return {"X-Dev-User": "wilma", "X-Dev-Scopes": " ".join(scopes)}

    orders = await finished(shop, await asked(shop, "orders"))
    reader = who("stock:read")
    for url in ("", "/file"):
        answer = await shop.http.get(f"/v1/exports/{orders['id']}{url}", headers=reader)
        assert problem(answer) == "insufficient-scope"
    with pytest.raises(Refused, match="insufficient-scope"):
        await shop.post("/v1/exports", {"kind": "orders"}, **reader)
    moved = await shop.post("/v1/exports", {"kind": "movements"}, **reader)
    seen = (await shop.http.get("/v1/exports", headers=reader)).json()["data"]
    assert [one["id"] for one in seen] == [moved["id"]]


async def test_a_file_is_forgotten_in_time(shop: Shop) -> None:
    export = await finished(shop, await asked(shop, "orders"))
    lives = datetime.fromisoformat(export["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23) < lives < timedelta(hours=25)
    writer = ExportActivities(shop.engine)
    ref = ExportRef(export_id=export["id"])
    await ActivityEnvironment().run(writer.forget_export, ref)
    assert await shop.fetch("SELECT FROM export_chunks") == []
    assert (await shop.get(f"/v1/exports/{export['id']}"))["status"] == "expired"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),
        ("＋49", "'＋49"),
        ("－2", "'－2"),
        ("＠SUM(A1)", "'＠SUM(A1)"),
        ('Tea, "black"', 'Tea, "black"'),
        ("O'Brien", "O'Brien"),
    ],
)
def test_no_text_becomes_a_formula(text: str, cell: str) -> None:
    written = text_of(ExportFormat.CSV, ["name"], [[text]], first=False)
    assert list(csv.reader(StringIO(written, newline=""))) == [[cell]]
    (line,) = text_of(ExportFormat.JSONL, ["name"], [[text]], first=True).splitlines()
    assert json.loads(line) == {"name": text}


def test_an_amount_below_zero_stays_one() -> None:
    assert text_of(ExportFormat.CSV, ["n"], [[-5]], first=False) == "-5\r\n"
