"""The rows that COPY writes of new profiles and their identifiers."""

import json
from datetime import datetime
from uuid import UUID

from profile_lookup.database.documents import serialized_traits
from profile_lookup.database.fuzzy_key import fuzzy_key
from profile_lookup.database.shared_by import shared_by
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.identity.rules import IdentityResolutionSettings

PROFILE_COLUMNS = ("store_id", "id", "created_at", "traits")

IDENTIFIER_COLUMNS = ("store_id", "id_type", "value", "profile_id", "shared_by", "fuzzy_key", "added_at", "names")


def profile_row(store_id: UUID, profile: Profile, created_at: datetime) -> tuple[object, ...]:
    return store_id, profile.id, created_at, json.dumps(serialized_traits(profile.traits, created_at))


def identifier_rows(settings: IdentityResolutionSettings, store_id: UUID, profile: Profile) -> list[tuple[object, ...]]:
    """Return a row for each identifier of the profile."""
    return [_identifier_row(settings, store_id, profile, *each) for each in profile.identifiers.items()]


def _identifier_row(
    settings: IdentityResolutionSettings,
    store_id: UUID,
    profile: Profile,
    identifier: NormalizedIdentifier,
    added_at: datetime,
) -> tuple[object, ...]:
    return (
        store_id,
        *identifier,
        profile.id,
        shared_by(settings, identifier.id_type, profile.id),
        fuzzy_key(settings, store_id, identifier.id_type),
        added_at,
        profile.names.get(identifier),
    )
