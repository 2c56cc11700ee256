"""Optimistic concurrency: an ETag for each state of a resource, and `If-Match` (RFC 9110, section 13.1.1)."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import TypeGuard
from uuid import UUID

from profile_lookup.errors import Outdated


def etag(version: int, created_at: datetime) -> str:
    """Return the ETag of a version. A resource that is created later under the same name has other ETags."""
    return f'"{int(created_at.timestamp() * 1_000_000):x}-{version}"'


def profile_etag(
    profile_id: UUID, traits: Mapping[str, Mapping[str, object]], identifiers: Iterable[tuple[str, str]]
) -> str:
    """Return the ETag of a profile with all its defined traits, by group and name, and its identifiers, in any order.

    It is a hash, because no version counts the changes of a profile: a write that changes its identifiers alone writes
    no row of the profile, and a trait also goes when its definition does. GET answers no identifiers, but whoever
    splits a profile has to know that it still has the same ones.
    """
    content = json.dumps([profile_id.hex, traits, sorted(map(list, identifiers))], sort_keys=True)
    return f'"{blake2b(content.encode(), digest_size=16).hexdigest()}"'


def refuse_outdated(if_match: str | None, current: str) -> None:
    """Raise `Outdated` unless `If-Match` names the current state. Weak ETags match nothing."""
    if names_a_state(if_match) and current not in _tags(if_match):
        raise Outdated


def names_a_state(if_match: str | None) -> TypeGuard[str]:
    """Return whether `If-Match` requires a certain state of the resource; `*` accepts any."""
    return if_match is not None and "*" not in _tags(if_match)


def _tags(if_match: str) -> set[str]:
    return {tag.strip() for tag in if_match.split(",")}
