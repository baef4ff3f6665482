"""The base of all activity contracts."""

from abc import ABC
from typing import Any

from temporalio import activity

DEFINITION = "__temporal_activity_definition"


class Steps(ABC):  # noqa: B024 - its contracts have the abstract methods
    """Activities by name and signature. An implementation overrides them, undecorated:
    the contract's names apply to it."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        for name, contract in cls.contract().items():
            override = cls.__dict__.get(name)
            if override is not None and not hasattr(override, DEFINITION):
                activity.defn(name=getattr(contract, DEFINITION).name)(override)

    @classmethod
    def contract(cls) -> dict[str, Any]:
        """The contract's activities by the names of their methods."""
        return {
            name: member
            for base in reversed(cls.__mro__)
            for name, member in vars(base).items()
            if hasattr(member, DEFINITION)
        }

    def activities(self) -> list[Any]:
        """The activities to register with a worker."""
        return [getattr(self, name) for name in self.contract()]
