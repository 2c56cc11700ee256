"""Finds the profile IDs in an answer, in the places where the service writes IDs, and nowhere else.

A trait may have any name and value, and so may look like an ID. So only members of these names are looked at, and none
of them holds what customers have sent.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

PLACES = frozenset(
    {
        "absorbed", "events", "formerly", "id", "joined", "joins", "matched", "profileId", "profiles", "results",
        "separations", "suspects",
    }
)  # fmt: skip
"""The names of members that are profile IDs, or lead to some."""

_PROFILE_ID = re.compile("mem_profile_[0-7][0-9a-hjkmnp-tv-z]{25}")


def profile_ids_in(answer: bytes) -> list[str]:
    """Return the profile IDs in an answer's JSON, each once and in its order; none if it is no JSON."""
    try:
        return list(dict.fromkeys(_found(json.loads(answer))))
    except ValueError:
        return []


def _found(part: Any) -> Iterator[str]:
    match part:
        case str():
            if _PROFILE_ID.fullmatch(part):
                yield part
        case list():
            for each in part:
                yield from _found(each)
        case dict():
            for name in PLACES & part.keys():
                yield from _found(part[name])
