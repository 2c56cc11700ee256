"""The rows that COPY writes of new profiles and their identifiers."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.database.shared_by import shared_by
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import IdentityResolutionSettings

Row = tuple[object, ...]

PROFILE_COLUMNS = ("store_id", "id", "created_at", "traits", "created_by")
"""`traits` is the text of the document that `documents.serialized_traits` returns. The database draws the number of the
creation."""

IDENTIFIER_COLUMNS = ("store_id", "id_type", "value", "profile_id", "shared_by", "fuzzy_key", "added_at", "names")


class Holder(NamedTuple):
    """A new profile, and its identifiers with the time when each was added."""

    profile_id: UUID
    identifiers: Mapping[NormalizedIdentifier, datetime]


def identifier_rows(settings: IdentityResolutionSettings, store_id: UUID, holders: Iterable[Holder]) -> Iterator[Row]:
    """Yield a row for each identifier. A value that a new profile holds has no counted names yet."""
    fuzzy_keys = {id_type: fuzzy_key(settings, store_id, id_type) for id_type in settings.id_types}
    for profile_id, identifiers in holders:
        for (id_type, value), added_at in identifiers.items():
            mark = shared_by(settings, id_type, profile_id)
            yield store_id, id_type, value, profile_id, mark, fuzzy_keys[id_type], added_at, None
