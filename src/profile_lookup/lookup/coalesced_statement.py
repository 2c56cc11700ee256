"""The statement for the lookups of one batch, its parameters, and its rows."""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as DecodedUUID  # noqa: N811 -- it is made in a seventh of the time

from profile_lookup.accounts.credentials import Credentials
from profile_lookup.database.single_queries.direct_statement import (
    encoded_bigints,
    encoded_byteas,
    encoded_texts,
    encoded_uuid,
    encoded_uuids,
)
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.lookup.queries import LOOKUP, LOOKUPS, LOOKUPS_OF_ONE_CALLER

Caller = tuple[Credentials, UUID]
"""The credentials of a caller, and the store that it looks up in."""


class Found(NamedTuple):
    """`revision` is the revision of the store's rules that were in force."""

    revision: int
    profile_ids: Sequence[UUID]


_ENCODERS: Mapping[str, Sequence[Callable[[Any], bytes]]] = {
    LOOKUP: (str.encode, bytes, encoded_uuid, str.encode, str.encode),
    LOOKUPS_OF_ONE_CALLER: (str.encode, bytes, encoded_uuid, encoded_texts, encoded_texts),
    LOOKUPS: (encoded_texts, encoded_byteas, encoded_uuids, encoded_bigints, encoded_texts, encoded_texts),
}


class CoalescedStatement(NamedTuple):
    """The statement that costs least for these lookups, and its arguments, for the driver."""

    sql: str
    arguments: Sequence[Any]
    lookups: int

    @classmethod
    def of(cls, callers: Sequence[Caller], identifiers: Sequence[NormalizedIdentifier]) -> "CoalescedStatement":
        """Return the statement. Usually all lookups have the same caller, who uses one store."""
        caller = callers[0]
        credentials, store_id = caller
        if len(callers) == 1:
            return cls(LOOKUP, (*credentials, store_id, *identifiers[0]), 1)
        id_types, values = zip(*identifiers, strict=True)
        # Callers who were admitted once are the same object, so they are nearly never compared.
        if all([each is caller or each == caller for each in callers]):  # noqa: C419 -- twice as fast
            return cls(LOOKUPS_OF_ONE_CALLER, (*credentials, store_id, list(id_types), list(values)), len(callers))
        numbers: dict[Caller, int] = {}
        of_each = [numbers.setdefault(each, len(numbers) + 1) for each in callers]
        sids = [credentials.sid for credentials, _ in numbers]
        digests = [credentials.secret_sha256 for credentials, _ in numbers]
        store_ids = [store_id for _, store_id in numbers]
        return cls(LOOKUPS, (sids, digests, store_ids, of_each, list(id_types), list(values)), len(callers))

    @property
    def parameters(self) -> list[bytes]:
        """The arguments as PostgreSQL receives them."""
        return [encode(argument) for encode, argument in zip(_ENCODERS[self.sql], self.arguments, strict=True)]

    def found(self, rows: Sequence[Found | None]) -> Sequence[Found | None]:
        """Return what each lookup found. There are no rows if the only caller may not look up."""
        return rows or [None] * self.lookups


_LENGTH = struct.Struct("!i")
_REVISION = struct.Struct("!iqi")  # its length, the revision, and the length of the array
_ARRAY_HEADER = 20  # bytes: dimensions, whether there are nulls, type, and the length and first index of the dimension
_ELEMENT = 20  # bytes: the length, and the UUID


def decoded_row(answer: bytes, position: int) -> Found | None:
    """Return the row (revision, profile_ids) that begins at this position; None if its caller may not look up."""
    if _LENGTH.unpack_from(answer, position)[0] < 0:  # the revision is null
        return None
    _, revision, size = _REVISION.unpack_from(answer, position)
    start = position + _REVISION.size
    # An empty array has no dimension, so it ends before the first element would begin.
    ends = range(start + _ARRAY_HEADER + _ELEMENT, start + size + 1, _ELEMENT)
    return Found(revision, [DecodedUUID(answer[end - 16 : end]) for end in ends])
