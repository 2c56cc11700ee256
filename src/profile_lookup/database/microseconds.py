"""A type of columns for times that are stored as microseconds since 1970, as in the documents of traits."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.types import TypeDecorator

from profile_lookup.database.documents import microseconds, time_of


class Microseconds(TypeDecorator[datetime]):
    impl = BigInteger
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, _dialect: Any) -> int | None:
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, _dialect: Any) -> datetime | None:
        return None if value is None else time_of(value)
