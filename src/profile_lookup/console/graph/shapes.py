"""The shapes of a drawing, in pixels from its upper left corner."""

from collections.abc import Sequence
from dataclasses import dataclass

from profile_lookup.console.graph.join_graph import Record
from profile_lookup.identity.identifier import NormalizedIdentifier


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle. `since`: how many joins had happened when it came."""

    x: int
    y: int
    width: int
    height: int
    since: int


@dataclass(frozen=True, slots=True)
class Card:
    """A record that is drawn by itself. `text`: its name, shortened. `is_join`: its request joined people."""

    box: Box
    record: Record
    name: str
    text: str
    is_join: bool


@dataclass(frozen=True, slots=True)
class Dot:
    """A record of a group. `x` and `y` are its centre."""

    x: int
    y: int
    record: Record
    name: str
    is_join: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """A group of records, each of which is a dot, but for those that are too many.

    - `records`: how many there are
    - `names`: as many of their names as there is room for
    """

    box: Box
    records: int
    names: str
    dots: Sequence[Dot]


@dataclass(frozen=True, slots=True)
class Pill:
    """An identifier. `text`: its value, shortened. `label`: what stands above it.

    `holds_together`: into how many parts the person would fall without it; 1 if it is no bridge.
    """

    box: Box
    identifier: NormalizedIdentifier
    text: str
    label: str
    holds_together: int


@dataclass(frozen=True, slots=True)
class Line:
    """The path of a line between an identifier and so many records. `is_bridge`: it leads from or to a bridge."""

    path: str
    identifier: NormalizedIdentifier
    records: int
    since: int
    is_bridge: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn, and of how many records and identifiers."""

    width: int
    height: int
    cards: Sequence[Card]
    bundles: Sequence[Bundle]
    pills: Sequence[Pill]
    lines: Sequence[Line]
    records: int
    records_of_person: int
    identifiers_of_person: int
