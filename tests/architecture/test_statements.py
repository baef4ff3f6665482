"""Statements are built on import and not by each call (docs/adr/0043), and no entity
loads anything by itself (docs/adr/0010)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUSINESS = ("services/worker/src/worker/orders", "services/api/src/api/orders")
FILES = sorted(
    file
    for folder in (*BUSINESS, "libs/shared/src/shared/database/kernel")
    for file in (ROOT / folder).rglob("*.py")
)
MAKERS = {"text", "select", "insert", "update", "delete"}
ENTITIES = {
    "AsyncSession",
    "Session",
    "async_sessionmaker",
    "relationship",
    "sessionmaker",
}
PRODUCT = sorted(
    file for folder in ("libs", "services") for file in (ROOT / folder).rglob("*.py")
)


def made_by_calls(source: str) -> list[str]:
    """Functions that build a statement whose text is known in advance. One that depends
    on a caller's wishes, such as the filters of a list, cannot be built earlier."""
    tree = ast.parse(source)
    makers = imported(tree, MAKERS)
    return [
        function.name
        for function in functions(tree)
        if any(makes_statement(node, makers) for node in ast.walk(function))
    ]


def imported(tree: ast.Module, wanted: set[str]) -> set[str]:
    """Which of these the module takes from SQLAlchemy, under its own names for them."""
    return {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] == "sqlalchemy"
        for name in node.names
        if name.name in wanted
    }


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
            if "cache" not in decorators:
                yield node


def makes_statement(node: ast.AST, makers: set[str]) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="text"), args=[ast.Constant()]):
            return "text" in makers
        case ast.Call(func=ast.Name(id=name)):
            return name in makers - {"text"}
    return False


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_call_builds_its_statement_anew(file: Path) -> None:
    assert made_by_calls(file.read_text()) == []


def test_the_rule_sees_statements_in_functions() -> None:
    source = """
from sqlalchemy import text, update
ONCE = text("SELECT 1")

@cache
def remembered(): return update(Order)

def asks(): return text("SELECT 2")

def writes(): return update(Order).where(Order.id == "a")

def lists(wishes): return text(PAGE.format(which=wishes))
"""
    assert made_by_calls(source) == ["asks", "writes"]


def test_no_entity_is_loaded_through_a_session() -> None:
    users = [f for f in PRODUCT if imported(ast.parse(f.read_text()), ENTITIES)]
    assert users == []


def test_the_rule_sees_a_session() -> None:
    source = "from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession as Lazy"
    assert imported(ast.parse(source), ENTITIES) == {"Lazy"}
