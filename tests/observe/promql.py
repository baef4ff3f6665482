"""Which metrics and labels a PromQL expression names."""

import re
from collections.abc import Iterable, Mapping

Known = Mapping[str, frozenset[str]]
"""Metrics by name, with their labels."""

OF_DISCOVERY = frozenset({"job", "instance", "pod", "kubernetes_namespace"})
"""Labels that Prometheus adds; `namespace` is Temporal's own, for it is honoured."""

_WORDS = frozenset({"and", "or", "unless", "by", "without"})
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\b(?!\s*\()\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")


def problems(expression: str, known: Known) -> list[str]:
    """What the expression names and nobody serves; empty if all is well."""
    plain = re.sub(r'"[^"]*"', '""', expression)
    plain = re.sub(r"\[[^\]]*\]", "", plain)
    grouped = {w.strip() for g in _GROUPING.findall(plain) for w in g.split(",")}
    selectors = [
        (name, set(_MATCHER.findall(matchers or "")))
        for name, matchers in _SELECTOR.findall(_GROUPING.sub(" ", plain))
        if name not in _WORDS
    ]
    found = [f"no metric {name}" for name, _ in selectors if name not in known]
    served = set(OF_DISCOVERY).union(*(known.get(name, ()) for name, _ in selectors))
    for name, labels in selectors:
        wrong = labels - known.get(name, frozenset()) - OF_DISCOVERY
        found += [f"{name} has no label {label}" for label in sorted(wrong)]
    found += [f"no label {label} to group by" for label in sorted(grouped - served)]
    return found


def read_page(page: str) -> dict[str, frozenset[str]]:
    """The metrics of a page in Prometheus' text format, with their labels."""
    labels: dict[str, set[str]] = {}
    for line in page.splitlines():
        sample = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", line)
        if sample and not line.startswith("#"):
            given = re.findall(r'(\w+)="', sample[2] or "")
            labels.setdefault(sample[1], set()).update(given)
    return {name: frozenset(found) for name, found in labels.items()}


def together(pages: Iterable[Known]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for page in pages:
        for name, labels in page.items():
            found[name] = found.get(name, frozenset()) | labels
    return found
