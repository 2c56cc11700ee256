"""The key of identifiers that are searched by similarity."""

from hashlib import blake2b
from uuid import UUID

from profile_lookup.identity.rules import IdentityResolutionSettings


def fuzzy_key(settings: IdentityResolutionSettings, store_id: UUID, id_type: str) -> int | None:
    """Return `identifier.fuzzy_key` for a type of a store: a signed 64-bit number, or None where matching is exact."""
    if id_type not in settings.fuzzy_types:
        return None
    return int.from_bytes(blake2b(store_id.bytes + id_type.encode(), digest_size=8).digest(), signed=True)
