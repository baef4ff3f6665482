"""What a business process declares to the API."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter
from shared.contracts.base import LineQuantity
from shared.contracts.holds import HoldRule
from shared.database.engine import Engine
from shared.database.kernel.tables import Base
from shared.platform.links import Link

from api.http.dependencies import Dependencies
from api.kernel.hold.schemas import StoredHold


@dataclass(frozen=True)
class Decided:
    """A person's decision about a hold, for its process to carry out."""

    key: str
    actor: str
    decision: str
    note: str
    lines: tuple[LineQuantity, ...] = ()


Silence = Callable[[str, str], str | None]
"""The default decision of a hold with this reason about this subject; `None`: it
escalates and stays open."""
Barred = Callable[[Dependencies, StoredHold], Awaitable[set[str]]]
"""Who must not decide about a hold, because they caused it."""
Release = Callable[[Dependencies, StoredHold, Decided], Awaitable[None]]
"""Carries a decision out; safe to repeat under `Decided.key`. Raises `Refusal`."""


LinkIsGood = Callable[[Engine, Link], Awaitable[bool]]
"""Whether a validly signed link that has not expired still counts."""


@dataclass(frozen=True, eq=False)
class Process:
    """A business process as the API sees it."""

    name: str
    subjects: type[Base]
    """The table of the subjects whose timelines name its holds."""
    operators: str
    """The scope that sees its holds."""
    holds: Mapping[str, HoldRule]
    release: Release
    silence: Silence | None = None
    """`None`: as the rule says, whatever the subject."""
    barred: Barred | None = None
    """`None`: whoever placed the hold, and nobody else."""
    decision_scopes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Decisions that need one of these scopes beside the decider's."""
    routers: Sequence[APIRouter] = ()
    """Commands and reads of people and services."""
    signed_routers: Sequence[APIRouter] = ()
    """For senders who are known by their signatures."""
    hrefs: Mapping[str, str] = field(default_factory=dict)
    """Where its subjects are found, by the prefix of their ids."""
    events: Mapping[str, str] = field(default_factory=dict)
    """The types of its events, with what has happened then: what others may subscribe
    to. Events of one that declares none flow all the same, to whoever wants `*`."""
    large_bodies: Sequence[str] = ()
    """The paths that take more than a small body."""
    scopes: Mapping[str, str] = field(default_factory=dict)
    """The scopes that its routes require, each with what it allows."""
    included_scopes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """A scope, and those that it includes."""
    link_is_good: LinkIsGood | None = None
    """`None`: its mails have no links that this API would believe."""
    gateway: Callable[[Dependencies], object] | None = None
    """Its routes send commands to workflows through this, and get it from
    `Dependencies.gateway`."""
