"""Optimistic concurrency: an ETag for each state of a resource, and `If-Match` (RFC 9110, section 13.1.1)."""

from datetime import datetime
from typing import Annotated, TypeGuard

from fastapi import Header
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.errors import Outdated
from profile_lookup.web.openapi import header

IfMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        max_length=100,
        description="The ETag of the state that is to be changed; if the resource has changed since, 412.",
    ),
]

ETAG = {"ETag": header("string", "Of this state, for `If-Match`.", maxLength=512)}
"""For `answer`."""


def etag(version: int, created_at: datetime) -> str:
    """With the time of its making, so that a resource of the same name, made later, has others."""
    return f'"{int(created_at.timestamp() * 1_000_000):x}-{version}"'


def refuse_outdated(if_match: str | None, current: str) -> None:
    """Raises `Outdated`. The comparison is strong: a weak ETag matches nothing."""
    if names_a_state(if_match) and current not in _tags(if_match):
        raise Outdated


def names_a_state(if_match: str | None) -> TypeGuard[str]:
    """Whether the resource must be as it was; `*` is content with any state."""
    return if_match is not None and "*" not in _tags(if_match)


def _tags(if_match: str) -> set[str]:
    return {tag.strip() for tag in if_match.split(",")}
