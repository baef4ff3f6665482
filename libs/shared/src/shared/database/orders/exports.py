"""The rows of each kind of export: their columns, and how they are read part by part.

Amounts are minor units. The customer's id is the only thing that points to a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import TextClause, text

from shared.contracts.orders.exports import ExportKind


@dataclass(frozen=True)
class Source:
    """`columns` by their names; rows are sorted by `at`, then by `key`."""

    columns: Mapping[str, str]
    tables: str
    at: str
    key: Mapping[str, str]
    """Orders rows of the same moment: expressions, with the types of their values."""


SOURCES: Mapping[ExportKind, Source] = {
    ExportKind.ORDERS: Source(
        {
            **{name: f"o.{name}" for name in ("number", "id", "external_ref")},
            "customer_id": "o.customer",
            **{
                name: f"o.{name}"
                for name in (
                    *("status", "payment_status", "fulfillment_status", "reason"),
                    *("currency", "shipping_method"),
                )
            },
            "goods": "o.total - o.shipping",
            "shipping": "o.shipping",
            "tax": "(SELECT coalesce(sum(tax), 0)::bigint FROM order_lines"
            " WHERE order_id = o.id) + o.shipping_tax",
            "total": "o.total",
            "captured": "(SELECT coalesce(sum(captured), 0)::bigint FROM payments"
            " WHERE order_id = o.id)",
            "refunded": "(SELECT coalesce(sum(refunded), 0)::bigint FROM payments"
            " WHERE order_id = o.id)",
            "created_at": "o.created_at",
            "updated_at": "o.updated_at",
        },
        "orders o",
        "o.created_at",
        {"o.id": "text"},
    ),
    ExportKind.LINES: Source(
        {
            "order_number": "o.number",
            "order_id": "o.id",
            **{name: f"l.{name}" for name in ("line", "sku", "name")},
            "quantity": "l.qty",
            **{
                name: f"l.{name}"
                for name in (
                    *("cancelled", "reserved", "captured", "shipped", "returned"),
                    "credited",
                )
            },
            "currency": "o.currency",
            "unit_price": "l.price",
            **{name: f"l.{name}" for name in ("total", "tax", "tax_bp")},
            "created_at": "o.created_at",
        },
        "orders o JOIN order_lines l ON l.order_id = o.id",
        "o.created_at",
        {"o.id": "text", "l.line": "int"},
    ),
    ExportKind.REFUNDS: Source(
        {
            "id": "r.id",
            "order_number": "o.number",
            **{name: f"r.{name}" for name in ("order_id", "return_id")},
            **{name: f"r.{name}" for name in ("reason", "status")},
            "currency": "o.currency",
            **{
                name: f"r.{name}"
                for name in ("amount", "shipping", "goodwill", "tax", "created_at")
            },
        },
        "refunds r JOIN orders o ON o.id = r.order_id",
        "r.created_at",
        {"r.id": "text"},
    ),
    ExportKind.MOVEMENTS: Source(
        {
            name: f"m.{name}"
            for name in (
                "at",
                "sku",
                "location",
                "on_hand",
                "reserved",
                "reason",
                "ref",
            )
        },
        "stock_movements m",
        "m.at",
        {"m.key": "text"},
    ),
}


def counting(kind: ExportKind) -> TextClause:
    """SQL that counts the rows from `:begin` to `:end`, up to `:most`."""
    source = SOURCES[kind]
    return text(
        f"SELECT count(*) FROM (SELECT FROM {source.tables}"  # noqa: S608 - ours
        f" WHERE {_between(source)} LIMIT :most) AS counted"
    )


@cache
def reading(kind: ExportKind, *, goes_on: bool) -> TextClause:
    """SQL for the next `:rows`, each with its position after its columns. With
    `goes_on` they begin after `:at` and `:key_0`, …."""
    source = SOURCES[kind]
    columns = [f'{sql} AS "{name}"' for name, sql in source.columns.items()]
    position = [f'{sql} AS "@{n}"' for n, sql in enumerate((source.at, *source.key))]
    after = ""
    if goes_on:
        keys = (f"cast(:key_{n} AS {t})" for n, t in enumerate(source.key.values()))
        place = ", ".join((source.at, *source.key))
        # The first condition is what an index begins with where the key is another
        # table's.
        after = f"AND {source.at} >= :at AND ({place}) > (:at, {', '.join(keys)})"
    return text(
        f"SELECT {', '.join(columns + position)} FROM {source.tables}"  # noqa: S608
        f" WHERE {_between(source)} {after}"
        f" ORDER BY {', '.join((source.at, *source.key))} LIMIT :rows"
    )


def names(kind: ExportKind) -> Sequence[str]:
    return list(SOURCES[kind].columns)


def _between(source: Source) -> str:
    begin = f"{source.at} >= coalesce(cast(:begin AS timestamptz), '-infinity')"
    return f"{begin} AND {source.at} < :end"
