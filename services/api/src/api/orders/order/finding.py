"""Finds orders: the condition for each filter, which an index serves
(tests/orders/test_finding.py), and the SELECT of each list."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import Request

from api.http.paging import moment
from api.http.paging import text as text_of
from api.orders.order.schemas import OrderQuery, OrderSearch
from api.orders.paths import number_in

WITH_TRACKING = """
  SELECT order_id FROM shipments WHERE tracking = ANY(:tracking)
  UNION ALL
  SELECT s.order_id FROM packages k JOIN shipments s ON s.id = k.shipment_id
  WHERE k.tracking = ANY(:tracking)
  UNION ALL
  SELECT order_id FROM returns WHERE tracking = ANY(:tracking)
"""
# A UNION of single conditions: with OR, one column without an index would force a full
# scan.
WITH_NAME = """
  SELECT id FROM orders WHERE id = :q
  UNION ALL SELECT id FROM orders WHERE external_ref = :q
  UNION ALL SELECT id FROM orders WHERE number = cast(:number AS bigint)
"""
"""SQL: ids of orders with this number, reference or id."""

_WHERE = {
    "own": "o.customer = :own",
    "id": "o.id = ANY(:id)",
    "customer": "o.customer = :customer",
    "status": "o.status = ANY(:status)",
    "payment_status": "o.payment_status = ANY(:payment_status)",
    "fulfillment_status": "o.fulfillment_status = ANY(:fulfillment_status)",
    "hold": "o.id IN (SELECT h.root FROM holds h WHERE h.reason = ANY(:hold)"
    " AND h.released_at IS NULL)",
    "sku": "o.id IN (SELECT l.order_id FROM order_lines l WHERE l.sku = ANY(:sku))",
    "tracking": f"o.id IN ({WITH_TRACKING})",
    "location": "o.id IN (SELECT s.order_id FROM shipments s"
    " WHERE s.location = ANY(:location) AND s.status <> 'cancelled')",
    "q": f"o.id IN ({WITH_NAME})",
    "created_from": "o.created_at >= :created_from",
    "created_to": "o.created_at < :created_to",
    "updated_from": "o.updated_at >= :updated_from",
    "updated_to": "o.updated_at < :updated_to",
}

_BY_AGE = {
    "sku": "order_lines WHERE sku",
    "location": "shipments WHERE status <> 'cancelled' AND location",
}
"""Tables that store when their order was placed, with an index by that for each value:
if nothing else is filtered, a page is a short piece of it."""

_COLUMNS: dict[str, tuple[str, Callable[[object], object]]] = {
    "created_at": ("o.created_at", moment),
    "updated_at": ("o.updated_at", moment),
    "number": ("o.number", lambda value: int(str(value))),
}
"""By the name in `sort`: the column, and what stands in a cursor."""


@dataclass(frozen=True)
class Found:
    """A SELECT of ids, one more than the page holds, and the order they come in."""

    ids: str
    order: str
    parameters: Mapping[str, object]


def find(request: Request, query: OrderQuery, customer: str | None) -> Found:
    """The orders of a list; only a `customer`'s if given. Raises a `Problem` for a
    cursor that is not from this list."""
    given = query.model_dump(exclude={"limit", "cursor", "sort"}, exclude_none=True)
    if customer is not None:
        given["own"] = customer
    parameters = {name: value for name, value in given.items() if value != []}
    column, kind = _COLUMNS[query.sort.removeprefix("-")]
    alone = _only_filter(parameters) if column == "o.created_at" else None
    conditions = ["true", *(_WHERE[name] for name in parameters if name != alone)]
    if "q" in parameters:
        parameters["number"] = number_in(str(parameters["q"]))
    down = query.sort.startswith("-")
    position = query.position(request, kind, text_of)
    if position is not None:
        conditions.append(f"({column}, o.id) {'<' if down else '>'} (:at, :after)")
        parameters |= {"at": position[0], "after": position[1]}
    order = f"{column} DESC, o.id DESC" if down else f"{column}, o.id"
    sources = _by_age(alone, len(given[alone])) if alone else ["orders"]
    # Each value by itself: its piece of the index is sorted.
    pages = " UNION ".join(
        f"(SELECT {'DISTINCT ' if alone else ''}o.id, {column} FROM {source} o"  # noqa: S608
        f" WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT :rows)"
        for source in sources
    )
    ids = f"SELECT o.id FROM ({pages}) o ORDER BY {order} LIMIT :rows"  # noqa: S608
    return Found(ids, order, parameters | {"rows": query.limit + 1})


def _only_filter(given: Mapping[str, object]) -> str | None:
    """The only filter, if it is one of `_BY_AGE`."""
    names = given.keys() - {"created_from", "created_to"}
    return names.pop() if len(names) == 1 and names <= _BY_AGE.keys() else None


def _by_age(name: str, values: int) -> list[str]:
    """One source for each value: its piece of the index."""
    return [
        "(SELECT ordered_at AS created_at, order_id AS id"  # noqa: S608 - our words
        f" FROM {_BY_AGE[name]} = (cast(:{name} AS text[]))[{n}])"
        for n in range(1, values + 1)
    ]


_SEARCHED = f"""
  {WITH_NAME}
  UNION {WITH_TRACKING}
  UNION SELECT order_id FROM contacts WHERE lower(email) = lower(:q)
  UNION SELECT order_id FROM contacts
  WHERE name_words(name, ship_to, bill_to) @@ cast(:words AS tsquery)
"""  # noqa: S608 - our own words


def search(request: Request, wanted: OrderSearch) -> Found:
    """Newest first, by whatever `q` may be. Raises a `Problem` as `find` does."""
    parameters: dict[str, object] = {
        "q": wanted.q,
        "number": number_in(wanted.q),
        "tracking": [wanted.q],
        "words": words_in(wanted.q),
        "rows": wanted.limit + 1,
    }
    after = ""
    if position := wanted.position(request, moment, text_of, at="#/cursor"):
        after = "AND (o.created_at, o.id) < (:at, :after)"
        parameters |= {"at": position[0], "after": position[1]}
    order = "o.created_at DESC, o.id DESC"
    # As an array: usually they are few, which statistics of names cannot tell.
    ids = (
        f"SELECT o.id FROM orders o WHERE o.id = ANY(ARRAY({_SEARCHED})) {after}"  # noqa: S608
        f" ORDER BY {order} LIMIT :rows"
    )
    return Found(ids, order, parameters)


def words_in(name: str) -> str:
    """A tsquery for names in which each word begins a word, folded as PostgreSQL's
    `name_words` folds them: "Muller ad" finds Ada Müller. Empty for no word at all."""
    decomposed = unicodedata.normalize("NFKD", name.lower())
    folded = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " & ".join(f"'{word}':*" for word in re.findall(r"\w+", folded))
