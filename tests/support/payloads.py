"""Any payload that a contract allows, for Hypothesis to draw from."""

from datetime import UTC, date, datetime
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

# Of the kinds that survive the way through JSON whole. Floats (NaN), bytes and secrets
# do not, and so a payload that has one finds no strategy here.
_PLAIN: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    # Written with UTC's own sign, as all our times are.
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    type(None): st.none(),
}


def payloads(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Instances of `model`, with every field given."""
    fields = {
        name: values(field.annotation, *field.metadata)
        for name, field in model.model_fields.items()
    }
    return st.fixed_dictionaries(fields).map(lambda known: model(**known))


def values(kind: Any, *limits: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type within its limits. Raises `TypeError` for a type that no
    payload may have."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values(args[0], *args[1:], *limits)
    if origin in (Union, UnionType):
        return st.one_of(*(values(arg, *limits) for arg in args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple and args[1:] == (...,):
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return payloads(kind)
    if kind is int:
        return _integers(limits)
    if kind is str:
        return _texts(limits)
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise TypeError(f"a payload must not have a {kind}")


def _integers(limits: tuple[Any, ...]) -> st.SearchStrategy[int]:
    least, below = _limit(limits, "ge"), _limit(limits, "gt")
    return st.integers(
        min_value=below + 1 if below is not None else least,
        max_value=_limit(limits, "le"),
    )


def _texts(limits: tuple[Any, ...]) -> st.SearchStrategy[str]:
    pattern = _limit(limits, "pattern")
    if pattern is not None:
        return st.from_regex(pattern, fullmatch=True)
    return st.text(
        min_size=_limit(limits, "min_length") or 0,
        max_size=_limit(limits, "max_length"),
    )


def _limit(limits: tuple[Any, ...], name: str) -> Any:
    for limit in limits:
        inner = limit.metadata if isinstance(limit, FieldInfo) else ()
        found = getattr(limit, name, None) if not inner else _limit(tuple(inner), name)
        if found is not None:
            return found
    return None
