"""The settings of a server for tests, which begins with known data and forgets everything at its end."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from profile_lookup.setting_types import ClockTime


class EphemeralSettings(BaseSettings):
    """These are part of `settings.Settings`."""

    ephemeral: Annotated[
        bool,
        Field(
            description="Whether this is a server for tests: one process, with a database of its own, that anybody may "
            "reset through `/testing/…`. Never turn it on for data that must last."
        ),
    ] = False
    seed_file: Annotated[
        Path | None,
        Field(
            description="A YAML or JSON file with the stores and profiles that a server for tests begins with: "
            "`docs/seeds.md`."
        ),
    ] = None
    clock: Annotated[
        ClockTime | None,
        Field(
            description="The time at which the clock of a server for tests begins, such as `2026-01-15T10:15:30Z`. "
            "Unset: the real time."
        ),
    ] = None
    ephemeral_store_id: Annotated[
        str | None,
        Field(
            pattern="^mem_(store|service)_[0-7][0-9a-hjkmnp-tv-z]{25}$",
            description="The ID of the store that a server for tests begins with. Unset: the first one of the seed, or "
            "a new one.",
        ),
    ] = None
