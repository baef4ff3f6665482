"""The variables of a service, for `--help` and for the page that lists them."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.platform.settings import Settings, variable_name


@dataclass(frozen=True)
class Variable:
    """`default` is what stands in its place when it is not set."""

    name: str
    default: str
    meaning: str


def variables(settings: type[Settings]) -> Iterator[Variable]:
    for name, field in settings.model_fields.items():
        yield Variable(variable_name(settings, name), _default(field), _meaning(field))


def help_text(settings: type[Settings]) -> str:
    """Every variable with its default and meaning, as `--help` prints it."""
    lines = ["environment:"]
    for variable in variables(settings):
        lines.append(f"  {variable.name} ({variable.default})")
        lines += textwrap.wrap(
            variable.meaning, 72, initial_indent="      ", subsequent_indent="      "
        )
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    if default in (None, (), {}):
        return "unset"
    match default:
        case timedelta():
            return _duration(default)
        case tuple():
            return " ".join(map(str, default))
        case dict():
            return "; ".join(f"{key}={value}" for key, value in default.items())
        case Enum():
            return str(default.value)
    return str(default)


def _duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    for unit, length in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _meaning(field: FieldInfo) -> str:
    said = " ".join((field.description or "").split())
    choices = _choices(field.annotation)
    return f"{said} One of {choices}.".strip() if choices else said


def _choices(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    return ""
