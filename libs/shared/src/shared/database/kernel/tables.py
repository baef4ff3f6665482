"""Tables that know nothing about orders: any business process uses them as they are.

`process` names the owner of a row. Its default is the only process of releases that did
not have the column."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NOW = func.now()


class Base(DeclarativeBase):
    """Rows are written and read as statements; nothing is loaded lazily."""

    owner: ClassVar[str]
    """For a table of subjects: the business process that owns them."""
    notified_events: ClassVar[frozenset[str]] = frozenset()
    """For a table of subjects: the types of events that become messages."""

    in_order: ClassVar[bool] = False
    """Whether rows that are written together get their ids in the order they were
    given."""

    @classmethod
    def committed(cls, events: Sequence[Mapping[str, Any]], age_seconds: float) -> None:
        """For a table of subjects: called after the commit with its events and the
        subject's age. Does nothing by default."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own declaration
        str: Text(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[Any]: JSONB(),
        bytes: LargeBinary(),
    }


class IdempotencyKey(Base):
    """The answer to an API request, under the caller's idempotency key. Without a
    status: still at work."""

    __tablename__ = "idempotency_keys"
    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes]
    status: Mapped[int | None] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("idempotency_keys_age", "created_at"),)


class ProcessedCommand(Base):
    """The stored answer to a command or a step: a repeat under the same key reads it
    and changes nothing. The table keeps its first name."""

    __tablename__ = "applied"
    key: Mapped[str] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(server_default="orders")
    subject: Mapped[str]
    result: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    __table_args__ = (Index("applied_subject", "subject"),)


class Event(Base):
    """Timeline, audit trail and feed. Append-only. A subject's cursor is `seq`; the
    feed's is (`transaction_id`, `id`), because a lower `id` may be committed later than
    a higher one."""

    in_order = True
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject: Mapped[str]
    seq: Mapped[int]
    type: Mapped[str]
    actor: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    transaction_id: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )
    __table_args__ = (
        UniqueConstraint("subject", "seq"),
        Index("events_feed", "transaction_id", "id"),
    )


class Message(Base):
    """A message about an event; written together with it, sent later. `skipped`: it had
    no addressee. `failed`: it was refused, or too late. Neither addressee nor text is
    stored."""

    __tablename__ = "messages"
    subject: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(server_default="orders")
    type: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="open")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    attempts: Mapped[int] = mapped_column(server_default="0")
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]
    resends: Mapped[int] = mapped_column(server_default="0")
    """How often it was sent again on request, and when last."""
    resent_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'sent', 'skipped', 'failed')", name="status"
        ),
        CheckConstraint("(status = 'sent') = (sent_at IS NOT NULL)", name="sent"),
        Index("messages_open", "due_at", postgresql_where="status = 'open'"),
    )


class MailsSent(Base):
    """How many mails an address got in an hour. Stores only a hash of the address, for
    a day."""

    __tablename__ = "mails_sent"
    address: Mapped[bytes] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    mails: Mapped[int]


class Note(Base):
    """A note that a person wrote with a command, under its key. It may hold personal
    data, so it is stored here and never travels through Temporal."""

    __tablename__ = "notes"
    key: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    text: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    actor: Mapped[str | None]
    about: Mapped[str | None]
    """A hold, a refund or a return by its id, `cancellation`, or the subject itself."""
    __table_args__ = (Index("notes_subject", "subject"),)


class Hold(Base):
    """Whatever waits for a person. `subject` is what is held up (an order, a shipment,
    a refund); `root` is the subject whose timeline shows it."""

    __tablename__ = "holds"
    id: Mapped[str] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(server_default="orders")
    subject: Mapped[str]
    root: Mapped[str]
    reason: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    placed_by: Mapped[str]
    placed_at: Mapped[datetime] = mapped_column(server_default=NOW)
    remind_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    assignee: Mapped[str | None]
    released_at: Mapped[datetime | None]
    decision: Mapped[str | None]
    decided_by: Mapped[str | None]
    note: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("(released_at IS NULL) = (decision IS NULL)", name="decided"),
        Index(
            "holds_one_open",
            "subject",
            "reason",
            unique=True,
            postgresql_where="released_at IS NULL",
        ),
        Index(
            "holds_queue", "reason", "due_at", postgresql_where="released_at IS NULL"
        ),
        Index("holds_root", "root"),
    )


class Inbox(Base):
    """Incoming webhooks: verified and stored before they are answered, then worked
    off at least once. An open one is tried again from `due_at` on."""

    __tablename__ = "inbox"
    source: Mapped[str] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    received_at: Mapped[datetime] = mapped_column(server_default=NOW)
    due_at: Mapped[datetime] = mapped_column(server_default=NOW)
    attempts: Mapped[int] = mapped_column(server_default="0")
    processed_at: Mapped[datetime | None]
    error: Mapped[str | None]
    __table_args__ = (
        Index("inbox_open", "due_at", postgresql_where="processed_at IS NULL"),
    )


class Discrepancy(Base):
    """Found by the auditors, worked by finance."""

    __tablename__ = "discrepancies"
    id: Mapped[str] = mapped_column(primary_key=True)
    process: Mapped[str] = mapped_column(server_default="orders")
    kind: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    found_at: Mapped[datetime] = mapped_column(server_default=NOW)
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    __table_args__ = (
        Index(
            "discrepancies_one_open",
            "kind",
            "subject",
            unique=True,
            postgresql_where="resolved_at IS NULL",
        ),
    )


class WebhookEndpoint(Base):
    """An endpoint of another system. (`transaction_id`, `event_id`) is its position in
    the feed: events after it have no delivery yet. Only the deliverer that holds the
    lease moves it."""

    owner = "webhooks"
    notified_events = frozenset(
        {"webhook_endpoint.failed", "webhook_delivery.failed", "webhook_endpoint.gone"}
    )

    __tablename__ = "webhook_endpoints"
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=NOW)
    url: Mapped[str]
    description: Mapped[str | None]
    owner_email: Mapped[str]
    types: Mapped[list[Any]]
    status: Mapped[str] = mapped_column(server_default="enabled")
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_secret_until: Mapped[datetime | None]
    transaction_id: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int] = mapped_column(server_default="0")
    """Attempts in a row without success."""
    failing_since: Mapped[datetime | None]
    rests_until: Mapped[datetime | None]
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("status IN ('enabled', 'disabled', 'failed')", name="status"),
    )


class WebhookDelivery(Base):
    """The delivery of one event to one endpoint; `event_id` 0 is a test. `pending`: it
    failed and is retried, waits behind an earlier event of its subject, or was
    requested again."""

    __tablename__ = "webhook_deliveries"
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    transaction_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    subject: Mapped[str]
    type: Mapped[str]
    status: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime | None]
    first_attempt_at: Mapped[datetime | None]
    """The first attempt since it was last requested: its three days begin here."""
    last_attempt_at: Mapped[datetime | None]
    response_status: Mapped[int | None] = mapped_column(SmallInteger)
    response_head: Mapped[str | None]
    latency_ms: Mapped[int | None]
    error: Mapped[str | None]
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status"),
        Index(
            "webhook_deliveries_unfinished",
            *("endpoint", "transaction_id", "event_id"),
            postgresql_where="status <> 'succeeded'",
        ),
    )
