"""Short texts of a drawing: names of records, shortened values, and their widths."""

from itertools import accumulate, takewhile
from unicodedata import east_asian_width

from profile_lookup.console.graph.join_graph import Record
from profile_lookup.identity.history.creation import Actor
from profile_lookup.identity.history.event import Event
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.person_names import NAME_TRAITS
from profile_lookup.web import ids

_NARROW = 7.5  # pixels of most letters at the size of the drawing's text
_WIDEST_TYPE = 120.0
_WIDE = 13.0  # pixels of a Chinese, Japanese or Korean letter


def record_name(record: Record) -> str:
    """Return the name that the record was written with, or the end of its ID."""
    written = "" if record.event is None else written_name(record.event)
    return written or f"…{ids.profile_id(record.id)[-8:]}"


def written_name(event: Event) -> str:
    """Return the name that a request carried; an empty text if it carried none."""
    parts = (event.request.traits.get(part) for part in NAME_TRAITS)
    return " ".join(part for part in parts if isinstance(part, str) and part.strip())


def origin_of(record: Record) -> str:
    """Return when the record was written and by whom, as far as that is known."""
    if record.event is None:
        return "no time is recorded"
    return f"{record.event.at:%-d %b %Y, %H:%M:%S} UTC{_written_by(record.event.actor)}"


def _written_by(actor: Actor | None) -> str:
    """Return who wrote an event, as the end of a sentence; nothing if it is not known."""
    if actor is None:
        return ""
    return f" by {actor.type} {actor.id}" + ("" if actor.line is None else f", line {actor.line}")


def label_of(identifier: NormalizedIdentifier, holds_together: int) -> str:
    """Return what a drawing says of an identifier beside its value."""
    id_type = shortened_at_end(identifier.id_type, _WIDEST_TYPE)
    return id_type if holds_together == 1 else f"{id_type} · holds {holds_together} together"


def shortened(text: str, most: float) -> str:
    """Return a text that is at most `most` pixels wide, by our estimate. An ellipsis stands for its middle."""
    if width_of(text) <= most:
        return text
    half = (most - _NARROW) / 2
    return f"{_beginning(text, half)}…{_beginning(text[::-1], half)[::-1]}"


def shortened_at_end(text: str, most: float) -> str:
    """Return a text that is at most `most` pixels wide, by our estimate. An ellipsis stands for its end."""
    return text if width_of(text) <= most else f"{_beginning(text, most - _NARROW)}…"


def width_of(text: str) -> float:
    """Return how many pixels wide a text is, roughly: only a browser knows its fonts."""
    return sum(map(_width, text))


def _width(letter: str) -> float:
    return _WIDE if east_asian_width(letter) in "WF" else _NARROW


def _beginning(text: str, most: float) -> str:
    widths = accumulate(map(_width, text))
    return text[: sum(1 for _ in takewhile(lambda width: width <= most, widths))]
