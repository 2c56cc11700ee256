"""What commands about one profile share: its store and ID as arguments, and output that may hold values."""

import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from profile_lookup.commands.errors import CommandError
from profile_lookup.web import ids

StoreArgument = Annotated[str, typer.Argument(metavar="STORE", help="mem_store_…, as `stores list` shows it.")]

_LONGEST_LINE = 1 << 20  # characters of a line that no terminal shows, so that programs can read whole lines


def store_id_of(argument: str) -> UUID:
    """Return the ID of a store that is named so. Raises `CommandError`."""
    store_id = ids.store_uuid(argument)
    if store_id is None:
        raise CommandError("STORE: expected mem_store_ and 26 characters")
    return store_id


def profile_id_of(argument: str) -> UUID:
    """Return the ID of a profile that is named so. Raises `CommandError`."""
    profile_id = ids.parsed(ids.PROFILE_ID_PATTERN, argument)
    if profile_id is None:
        raise CommandError("PROFILE: expected mem_profile_ and 26 characters")
    return profile_id


def event_id_of(argument: str) -> UUID:
    """Return the ID of an event that is named so. Raises `CommandError`."""
    event_id = ids.parsed(ids.EVENT_ID_PATTERN, argument)
    if event_id is None:
        raise CommandError("EVENT: expected mem_event_ and 26 characters")
    return event_id


def console() -> Console:
    """Return a console that prints text as it is, and breaks lines only for a terminal."""
    return Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else _LONGEST_LINE)


def printable(value: str) -> str:
    """Return the value without what a terminal would take for a command, such as an escape sequence."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in value)
