"""Lists the reasons and decisions of all processes in the OpenAPI document."""

from collections.abc import Iterable, Sequence
from typing import Any

from api.kernel.process import Process


def describe_holds(document: dict[str, Any], processes: Sequence[Process]) -> None:
    rules = {r: rule for process in processes for r, rule in process.holds.items()}
    reason = _one_of(rules)
    decision = _one_of(d for rule in rules.values() for d in rule.decisions)
    schemas = document["components"]["schemas"]
    schemas["Hold"]["properties"]["reason"] |= reason
    schemas["Hold"]["properties"]["decisions"]["items"] = decision
    schemas["Release"]["properties"]["decision"] = decision
    for parameter in document["paths"]["/v1/holds"]["get"]["parameters"]:
        if parameter["name"] == "reason":
            parameter["schema"]["anyOf"][0] = reason


def _one_of(words: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(dict.fromkeys(map(str, words)))}
