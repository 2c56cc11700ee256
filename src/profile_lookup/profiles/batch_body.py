"""Reads a batch of profiles profile by profile, so that other requests are served meanwhile.

Parsing 16 MiB at once would take a tenth of a second, in which the process does nothing else. A thread would not help:
the parser holds the interpreter's lock.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from profile_lookup.errors import RequestRefused, TooManyValues
from profile_lookup.ingest.wire import ProfileData
from profile_lookup.profiles.wire import MAX_BATCH, ProfileBatch
from profile_lookup.web.body import (
    USUAL_LIMITS,
    BodyLimits,
    JsonBody,
    validated,
    values_in,
)
from profile_lookup.web.json_text import decoded_json, refuse_constant, refuse_deep_json, refusing_malformed_json
from profile_lookup.web.wire import mistakes

LIMITS = BodyLimits(size=16 << 20, values=1_000_000)
TURN = 0.01  # seconds after which others are served

_FIRST_WINDOW = 64 << 10  # characters that are parsed to find the end of a profile; nearly every one ends there
_BEGIN = re.compile(r'\s*\{\s*"profiles"\s*:\s*\[\s*')
_NEXT = re.compile(r"\s*,\s*")
_END = re.compile(r"\s*\]\s*\}\s*\Z")
_DECODER = json.JSONDecoder(parse_constant=refuse_constant)


class BatchBody(JsonBody):
    """A dependency that reads a batch. The endpoint gets the JSON text of the traits of each profile."""

    def __init__(self) -> None:
        super().__init__(ProfileBatch, LIMITS, RequestRefused)

    async def parsed(self, body: bytes) -> list[str]:
        """Return the traits of each profile. Raises `RequestRefused`."""
        is_small = len(body) <= USUAL_LIMITS.size and values_in(body) <= USUAL_LIMITS.values
        profiles = iter(validated(ProfileBatch, body).profiles) if is_small else _profiles_of_large(body)
        inputs = []
        served_at = time.monotonic()
        for profile in profiles:
            inputs.append(json.dumps(profile.traits or {}))
            if time.monotonic() > served_at + TURN:
                await asyncio.sleep(0)
                served_at = time.monotonic()
        return inputs


def _profiles_of_large(body: bytes) -> Iterator[ProfileData]:
    """Yield the profiles of a body that has the member `profiles` and no other. Raises `RequestRefused`."""
    with refusing_malformed_json():
        text = decoded_json(body)
    begin = _BEGIN.match(text)
    if begin is None:
        raise RequestRefused(
            f'body: expected {{"profiles": […]}} with no other member in a body of more than {USUAL_LIMITS.size} bytes '
            f"or {USUAL_LIMITS.values} values"
        )
    position = begin.end()
    for number in range(MAX_BATCH):
        sent, position = _next_value(text, position, number)
        yield _profile_of(sent, number)
        following = _NEXT.match(text, position)
        if following is None:
            break
        position = following.end()
    else:
        raise RequestRefused(f"profiles: List should have at most {MAX_BATCH} items after validation, not more")
    if _END.match(text, position) is None:
        raise RequestRefused(f"body: expected JSON; it is malformed at character {position}")


def _next_value(text: str, position: int, number: int) -> tuple[Any, int]:
    """Return the value that begins at a position, and the position of its end. `number` is that of the profile.

    A profile may be as large as the body of a single create. Raises `RequestRefused`.
    """
    size = _FIRST_WINDOW
    while True:
        end = _end_of_window(text, position, size)
        try:
            with refusing_malformed_json(position):
                value, length = _DECODER.raw_decode(text[position:end])
        except RequestRefused:
            if end == len(text):
                raise
            if end < position + size:
                raise TooManyValues(USUAL_LIMITS.values) from None
            if size >= USUAL_LIMITS.size:
                raise RequestRefused(f"profiles.{number}: expected JSON of at most {size} characters") from None
            size *= 4
        else:
            refuse_deep_json(text[position : position + length])
            return value, position + length


def _end_of_window(text: str, position: int, size: int) -> int:
    """Return the end of a window of `size` characters, or of fewer if they hold more values than a profile may have."""
    end = min(position + size, len(text))
    values = 0
    for start in range(position, end, _FIRST_WINDOW):
        values += sum(text.count(each, start, start + _FIRST_WINDOW) for each in ",[{")
        if values > USUAL_LIMITS.values:
            return min(start + _FIRST_WINDOW, end)
    return end


def _profile_of(sent: Any, number: int) -> ProfileData:
    try:
        return ProfileData.model_validate(sent)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestRefused(
            mistakes([each | {"loc": ("body", "profiles", number, *each["loc"])} for each in found])
        ) from None
