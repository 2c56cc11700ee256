"""The product's tables as ORM classes, with only the necessary columns."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Sequence
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class Credential(Base):
    __tablename__ = "credential"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sid: Mapped[str] = mapped_column(primary_key=True)
    secret_sha256: Mapped[bytes]
    scope: Mapped[str]


class Store(Base):
    __tablename__ = "store"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    settings: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(BigInteger)


class Profile(Base):
    __tablename__ = "profile"

    store_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    traits: Mapped[dict[str, Any]]
    creation_number: Mapped[int | None] = mapped_column(BigInteger, Sequence("event_number"))


class Alias(Base):
    __tablename__ = "alias"

    store_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID]


class Identifier(Base):
    __tablename__ = "identifier"

    store_id: Mapped[UUID] = mapped_column(primary_key=True)
    id_type: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    shared_by: Mapped[bytes] = mapped_column(primary_key=True)
    profile_id: Mapped[UUID]
    added_at: Mapped[datetime]


class Event(Base):
    __tablename__ = "event"

    store_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Sequence("event_number"), primary_key=True)
    id: Mapped[UUID]
    profile_id: Mapped[UUID]
    kind: Mapped[str]
    happened_at: Mapped[datetime]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
