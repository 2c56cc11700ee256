"""The records of a person, and the identifiers that link them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from profile_lookup.identity.history.event import Event
from profile_lookup.identity.history.explanation import Explanation, Link, each_link
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier


@dataclass(frozen=True, slots=True)
class Record:
    """A profile as it was created, or a later request.

    - `event`: the creation or the request, if it is recorded
    - `since`: how many joins of the person had happened when the record was linked to others first
    """

    id: UUID
    event: Event | None
    since: int


@dataclass(frozen=True, slots=True)
class Edge:
    """An identifier links a record, which brought it first or matched it later.

    `since`: how many joins had happened after the write that made the link.
    """

    identifier: NormalizedIdentifier
    record: UUID
    is_bringer: bool
    since: int


@dataclass(frozen=True, slots=True)
class JoinGraph:
    """Why a person is one: each identifier links at least two of the records.

    - `bridges`: into how many parts the person would fall without an identifier
    - `joins`: in the order in which they happened
    """

    records: Mapping[UUID, Record]
    edges: Sequence[Edge]
    bridges: Mapping[NormalizedIdentifier, int]
    joins: Sequence[Event]

    @property
    def identifiers(self) -> list[NormalizedIdentifier]:
        """The identifiers that link records, earliest first."""
        return list(dict.fromkeys(edge.identifier for edge in self.edges))


def join_graph_of(person: Person, explanation: Explanation) -> JoinGraph:
    """Return the records of a person and what links them."""
    since = _joins_so_far(person.events, {event.id for event in explanation.joins})
    edges = _edges(each_link(person.events), since)
    events = {event.profile_id if event.kind == "created" else event.id: event for event in person.events}
    records: dict[UUID, Record] = {}
    for edge in edges:
        records.setdefault(edge.record, Record(edge.record, events.get(edge.record), edge.since))
    bridges = {bridge.identifier: bridge.holds_together for bridge in explanation.bridges}
    return JoinGraph(records, edges, bridges, explanation.joins)


def _joins_so_far(events: Iterable[Event], joins: set[UUID]) -> dict[UUID, int]:
    """Return, for each event, how many joins had happened when it was over."""
    number = 0
    numbers = {}
    for event in events:
        number += event.id in joins
        numbers[event.id] = number
    return numbers


def _edges(links: Iterable[Link], since: Mapping[UUID, int]) -> list[Edge]:
    """Return the edges of the identifiers that link at least two records, each edge once and the earliest first."""
    edges: dict[tuple[NormalizedIdentifier, UUID], Edge] = {}
    linked: dict[NormalizedIdentifier, set[UUID]] = {}
    for identifier, bringer, record, event in links:
        for each in (bringer, record):
            if each is not None:
                is_bringer = each == bringer
                edges.setdefault((identifier, each), Edge(identifier, each, is_bringer, since[event.id]))
                linked.setdefault(identifier, set()).add(each)
    return [edge for edge in edges.values() if len(linked[edge.identifier]) > 1]
