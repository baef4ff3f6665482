"""The provider's objects, as documents, with Stripe's ways of listing and expanding."""

import json
import secrets

from simulators.database import Database
from simulators.payments.answers import Json, invalid, missing
from simulators.payments.params import Params

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, number);
CREATE INDEX IF NOT EXISTS objects_by_intent
    ON objects (json_extract(body, '$.payment_intent'), kind);
CREATE INDEX IF NOT EXISTS objects_by_customer_id
    ON objects (json_extract(body, '$.metadata."customer_id"'), kind);
"""

PREFIXES = {
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "event": "evt",
    "customer": "cus",
    "payment_method": "pm",
    "dispute": "du",
}
# Which objects a field's id stands for, where a request asks for them to be expanded.
EXPANDABLE = {
    "latest_charge": "charge",
    "charge": "charge",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "customer": "customer",
}
LARGEST_PAGE, USUAL_PAGE = 100, 10


def new_id(kind: str) -> str:
    return f"{PREFIXES[kind]}_{secrets.token_hex(12)}"


class Objects:
    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(SCHEMA)

    def add(self, document: Json) -> Json:
        """Keep a new document, which has its `id`, `object` and `created`."""
        self._database.insert(
            "INSERT INTO objects (id, kind, created, body) VALUES (?, ?, ?, ?)",
            *(document["id"], document["object"], document["created"]),
            json.dumps(document),
        )
        return document

    def save(self, document: Json) -> Json:
        self._database.run(
            "UPDATE objects SET body = ? WHERE id = ?",
            *(json.dumps(document), document["id"]),
        )
        return document

    def remove(self, document: Json) -> None:
        self._database.run("DELETE FROM objects WHERE id = ?", document["id"])

    def find(self, kind: str, object_id: str) -> Json | None:
        row = self._database.row(
            "SELECT body FROM objects WHERE id = ? AND kind = ?", object_id, kind
        )
        return json.loads(row["body"]) if row else None

    def get(self, kind: str, object_id: str, param: str | None = None) -> Json:
        """Raises `missing`; `param` names the parameter that the id came from."""
        found = self.find(kind, object_id)
        if found is None:
            raise missing(kind, object_id, param)
        return found

    def of_intent(self, kind: str, intent_id: str) -> list[Json]:
        """Oldest first."""
        rows = self._database.rows(
            "SELECT body FROM objects"
            " WHERE json_extract(body, '$.payment_intent') = ? AND kind = ?"
            " ORDER BY number",
            *(intent_id, kind),
        )
        return [json.loads(row["body"]) for row in rows]

    def all(self, kind: str) -> list[Json]:
        """Oldest first."""
        rows = self._database.rows(
            "SELECT body FROM objects WHERE kind = ? ORDER BY number", kind
        )
        return [json.loads(row["body"]) for row in rows]

    def with_metadata(self, kind: str, name: str, value: str) -> list[Json]:
        """Newest first. `name` has no quotes. `customer_id` is found by an index."""
        rows = self._database.rows(
            "SELECT body FROM objects"
            f" WHERE json_extract(body, '$.metadata.\"{name}\"') = ? AND kind = ?"
            " ORDER BY number DESC",
            *(value, kind),
        )
        return [json.loads(row["body"]) for row in rows]

    def page(self, kind: str, url: str, params: Params, *filters: str) -> Json:
        """Newest first, as Stripe lists; `filters` are fields that must be equal."""
        limit = params.integer("limit")
        limit = USUAL_PAGE if limit is None else limit
        if not 1 <= limit <= LARGEST_PAGE:
            raise invalid(f"The limit is from 1 to {LARGEST_PAGE}.", param="limit")
        conditions, values = _conditions(kind, params, filters)
        backwards = params.has("ending_before")
        for name, operator in (("starting_after", "<"), ("ending_before", ">")):
            if cursor := params.text(name):
                conditions.append(f"number {operator} ?")
                values.append(self._number(kind, cursor, name))
        rows = self._database.rows(
            f"SELECT body FROM objects WHERE {' AND '.join(conditions)}"
            f" ORDER BY number {'ASC' if backwards else 'DESC'} LIMIT ?",
            *(*values, limit + 1),
        )
        found = [json.loads(row["body"]) for row in rows[:limit]]
        return {
            "object": "list",
            "url": url,
            "has_more": len(rows) > limit,
            "data": found[::-1] if backwards else found,
        }

    def _number(self, kind: str, object_id: str, param: str) -> int:
        row = self._database.row(
            "SELECT number FROM objects WHERE id = ? AND kind = ?", object_id, kind
        )
        if row is None:
            raise missing(kind, object_id, param)
        return int(row["number"])

    def shown(self, document: Json, expand: list[str]) -> Json:
        """The document as a client sees it, with the paths in `expand` filled in."""
        seen = public(document)
        for path in expand:
            self._expand(seen, path.split("."), path)
        return seen

    def _expand(self, document: Json, steps: list[str], path: str) -> None:
        name, rest = steps[0], steps[1:]
        value = document.get(name)
        if isinstance(value, str) and name in EXPANDABLE:
            value = document[name] = public(self.get(EXPANDABLE[name], value))
        elif name not in document or not isinstance(value, dict | list | None):
            raise invalid(f"This property cannot be expanded ({path}).", "expand")
        for child in value if isinstance(value, list) else [value]:
            if rest and child is not None:
                self._expand(child, rest, path)


def _conditions(
    kind: str, params: Params, filters: tuple[str, ...]
) -> tuple[list[str], list[object]]:
    conditions = ["kind = ?"]
    values: list[object] = [kind]
    for name in filters:
        if (wanted := params.text(name)) is not None:
            conditions.append(f"json_extract(body, '$.{name}') = ?")
            values.append(wanted)
    for operator, moment in params.range("created"):
        conditions.append(f"created {operator} ?")
        values.append(moment)
    return conditions, values


def public(document: Json) -> Json:
    """The document without what is the simulator's own business."""
    shown = {name: v for name, v in document.items() if not name.startswith("_")}
    if document["object"] == "list":
        shown["data"] = [public(item) for item in document["data"]]
    return shown
