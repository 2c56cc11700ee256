"""Optimistic concurrency: an ETag for each state of a resource, and `If-Match` (RFC 9110, section 13.1.1)."""

from datetime import datetime
from typing import TypeGuard

from profile_lookup.errors import Outdated


def etag(version: int, created_at: datetime) -> str:
    """Return the ETag of a version. A resource that is made later under the same name has other ETags."""
    return f'"{int(created_at.timestamp() * 1_000_000):x}-{version}"'


def refuse_outdated(if_match: str | None, current: str) -> None:
    """Raise `Outdated` unless `If-Match` names the current state. Weak ETags match nothing."""
    if names_a_state(if_match) and current not in _tags(if_match):
        raise Outdated


def names_a_state(if_match: str | None) -> TypeGuard[str]:
    """Return whether the client insists on a state of the resource; `*` accepts any."""
    return if_match is not None and "*" not in _tags(if_match)


def _tags(if_match: str) -> set[str]:
    return {tag.strip() for tag in if_match.split(",")}
