"""What the contracts promise and the worker registers, found and not listed."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import shared.contracts
from pydantic import SecretStr
from shared.contracts.base import Payload
from shared.database.engine import create_engine
from temporalio.client import Client
from worker.__main__ import PROCESSES
from worker.runtime.registry import Process
from worker.settings import WorkerSettings


def contract_modules() -> Iterator[ModuleType]:
    package = shared.contracts
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def contract_classes() -> Iterator[type]:
    for module in contract_modules():
        for _, known in inspect.getmembers(module, inspect.isclass):
            if known.__module__ == module.__name__:
                yield known


def payload_models() -> list[type[Payload]]:
    found = [c for c in contract_classes() if issubclass(c, Payload)]
    return sorted(found, key=lambda model: model.__qualname__)


def defined(thing: object, kind: str) -> str | None:
    """The name by which Temporal knows it."""
    definition = getattr(thing, f"__temporal_{kind}_definition", None)
    return None if definition is None else str(definition.name)


def promised_workflows() -> dict[str, type]:
    names = {defined(known, "workflow"): known for known in contract_classes()}
    return {name: known for name, known in names.items() if name is not None}


def promised_activities() -> set[str]:
    return {
        name
        for known in contract_classes()
        for method in vars(known).values()
        if (name := defined(method, "activity")) is not None
    }


def registered(client: Client) -> list[Process]:
    """All processes as the worker builds them, with nothing behind them."""
    settings = WorkerSettings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"),
        stripe_api_key=SecretStr("sk_test_nothing"),
    )
    engine = create_engine(settings, application="test")
    return [one.build(settings, engine, lambda: client) for one in PROCESSES]
