"""The last column of the primary key of identifiers: it decides how many profiles may hold a value."""

from uuid import UUID

from profile_lookup.identity.rules import IdentityResolutionSettings


def shared_by(settings: IdentityResolutionSettings, id_type: str, profile_id: UUID) -> bytes:
    """Return nothing for a unique type, so that a value has one holder, and else the bytes of the holder's ID."""
    return b"" if settings.is_unique(id_type) else profile_id.bytes
