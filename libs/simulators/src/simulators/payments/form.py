"""Stripe's request encoding: forms whose names carry brackets.

metadata[order]=ord_1&expand[]=latest_charge&types[0]=charge.captured
-> {"metadata": {"order": "ord_1"}, "expand": ["latest_charge"], "types": [...]}
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from simulators.payments.answers import Json, invalid

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
DEEPEST = 8


def decode_form(encoded: bytes) -> Json:
    """The nested parameters. Raises `invalid` for names that contradict one another."""
    tree: Json = {}
    try:
        pairs = parse_qsl(encoded.decode(), keep_blank_values=True, max_num_fields=5000)
    except ValueError as error:
        raise invalid("The request body is not a form in UTF-8.") from error
    for name, value in pairs:
        _place(tree, _steps(name), name, value)
    return {name: _with_lists(value) for name, value in tree.items()}


def encode_flat(value: object, name: str = "") -> list[tuple[str, str]]:
    """The parameters as sorted pairs: equal requests give equal lists."""
    if isinstance(value, dict):
        children = [(f"{name}[{key}]", child) for key, child in sorted(value.items())]
    elif isinstance(value, list):
        children = [(f"{name}[{index}]", child) for index, child in enumerate(value)]
    else:
        return [(name, str(value))]
    return [pair for key, child in children for pair in encode_flat(child, key)]


def _steps(name: str) -> list[str]:
    match = NAME.fullmatch(name)
    if match is None:
        raise invalid(f"Invalid parameter name: {name}", param=name)
    steps = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
    if len(steps) > DEEPEST:
        raise invalid(f"Parameter nested too deeply: {match[1]}", param=match[1])
    return steps


def _place(tree: Json, steps: list[str], name: str, value: str) -> None:
    for step in steps[:-1]:
        tree = tree.setdefault(step or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise invalid(f"Conflicting parameters: {name}", param=name)
    last = steps[-1] or str(len(tree))
    if isinstance(tree.get(last), dict):
        raise invalid(f"Conflicting parameters: {name}", param=name)
    tree[last] = value


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    children = {key: _with_lists(child) for key, child in value.items()}
    # Only what counts from 0 is a list: keys of metadata may be digits as well.
    numbers = [str(number) for number in range(len(children))]
    if children.keys() != set(numbers):
        return children
    return [children[number] for number in numbers]
