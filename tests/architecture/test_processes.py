"""Business processes know one another by their contracts alone."""

from itertools import permutations
from pathlib import Path

import grimp
import worker


def processes() -> list[str]:
    """The worker's packages that register something."""
    (root,) = worker.__path__
    return sorted(
        f"worker.{p.parent.name}" for p in Path(root).glob("*/registration.py")
    )


def crossings(graph: grimp.ImportGraph, packages: list[str]) -> list[tuple[str, str]]:
    return [
        (importer, imported)
        for importer, imported in permutations(packages, 2)
        if graph.find_shortest_chains(importer, imported)
    ]


def test_processes_do_not_import_one_another() -> None:
    assert crossings(grimp.build_graph("worker"), processes()) == []


def test_one_that_does_is_found() -> None:
    graph = grimp.ImportGraph()
    for module in ("worker.a", "worker.a.x", "worker.b", "worker.b.y", "worker.c"):
        graph.add_module(module)
    graph.add_import(importer="worker.a.x", imported="worker.c")
    graph.add_import(importer="worker.c", imported="worker.b.y")
    assert crossings(graph, ["worker.a", "worker.b"]) == [("worker.a", "worker.b")]
