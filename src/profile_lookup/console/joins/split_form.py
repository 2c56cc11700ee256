"""What the form of a split says."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from profile_lookup.console.forms import Form
from profile_lookup.console.joins.join_list import identifiers_of
from profile_lookup.errors import RequestRefused
from profile_lookup.history.split_request import SplitRequest
from profile_lookup.history.split_wire import MAX_JOINS
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.web import ids

KEEPS_APART = "keepApart"
BLOCK = "block"
PREVIEWED = "previewed"
MOST_BLOCKABLE = 20
"""So many identifiers of the chosen joins are offered to be blocked."""


def split_request_of(form: Form, actor: Actor, *, is_dry_run: bool) -> SplitRequest:
    """Return what a form asks to undo. Raises `RequestRefused` if it has no join or too many."""
    chosen = [*form.texts("events"), *form.text("eventsOfIdentifier").split()]
    events = list(dict.fromkeys(_event_id(each) for each in chosen))
    if not events:
        raise RequestRefused("events: choose at least one join")
    if len(events) > MAX_JOINS:
        raise RequestRefused(f"events: expected at most {MAX_JOINS}")
    # The first form says nothing of these two: by default the parts are kept apart, and nothing is blocked.
    keeps_apart = form.text(KEEPS_APART) != "false"
    block = [identifier_of(each) for each in form.texts(BLOCK)]
    return SplitRequest(events, actor, keeps_apart, block, is_dry_run, form.text("ifMatch") or None)


def is_as_previewed(form: Form) -> bool:
    """Return whether the choices beside the joins are still those that the preview shows."""
    return set(form.texts(PREVIEWED)) == {form.text(KEEPS_APART), *form.texts(BLOCK)}


def _event_id(text: str) -> UUID:
    """Return the ID of an event. A text that no event can have as its ID becomes zero, which is the ID of none."""
    return ids.parsed(ids.EVENT_ID_PATTERN, text) or UUID(int=0)


def identifier_of(text: str) -> Identifier:
    """Return the identifier that a checkbox is for: a type has no space."""
    id_type, _, value = text.partition(" ")
    return Identifier(id_type, value)


def field_of(identifier: Identifier | NormalizedIdentifier) -> str:
    """Return the value of a checkbox for an identifier."""
    return f"{identifier.id_type} {identifier.value}"


def blockable(joins: Iterable[Event], chosen: Sequence[UUID]) -> list[NormalizedIdentifier]:
    """Return the identifiers that made the chosen joins, each once."""
    events = set(chosen)
    by = (each for join in joins if join.id in events for each in identifiers_of(join))
    return list(dict.fromkeys(by))[:MOST_BLOCKABLE]
