"""What is drawn of a graph: single records, groups of records that the same identifiers link, and identifiers.

A large person has more records than anybody can read. Records with the same identifiers are drawn as one group, in
which each record is a dot. If there are still too many units, only the identifiers that hold most together are drawn.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from profile_lookup.console.graph.join_graph import Edge, JoinGraph, Record
from profile_lookup.identity.identifier import NormalizedIdentifier

MOST_UNITS = 84
"""The most units that are drawn. More of them would be neither readable nor quick to place."""
MOST_ALIKE = 3
"""So many records with the same identifiers are drawn one by one. More of them become a group."""

MOST_DOTS = 600
"""So many records of a group are drawn, the earliest. A page with many more would be too large."""

_ATTEMPTS = ((40, MOST_ALIKE), (20, MOST_ALIKE), (10, MOST_ALIKE), (6, MOST_ALIKE), (4, 1))
"""How many identifiers are tried, and how many records of each group stay single.

The last attempt always fits: each of four identifiers was brought, matched or neither, so there are at most 80 groups.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Records, earliest first, that brought the same identifiers and matched the same ones.

    `since`: how many joins had happened when the first of them was linked.
    """

    records: Sequence[Record]
    brought: frozenset[NormalizedIdentifier]
    matched: frozenset[NormalizedIdentifier]

    @property
    def since(self) -> int:
        return min(record.since for record in self.records)


@dataclass(frozen=True, slots=True)
class Units:
    """What is drawn: groups, some of which are single records, and the identifiers that link them."""

    groups: Sequence[Group]
    identifiers: Sequence[NormalizedIdentifier]
    edges: Sequence[Edge]


def units_of(graph: JoinGraph) -> Units:
    """Return what is drawn: everything, or as many of the identifiers as fit, those that hold most together first."""
    ranked = _ranked(graph)
    for most_identifiers, most_alike in _ATTEMPTS:
        units = _units(graph, ranked[:most_identifiers], most_alike)
        if len(units.groups) + len(units.identifiers) <= MOST_UNITS:
            break
    return units


def _ranked(graph: JoinGraph) -> list[NormalizedIdentifier]:
    """Return the identifiers: first the bridges, those that hold most together first, then those that link most."""
    linked: dict[NormalizedIdentifier, int] = {}
    for edge in graph.edges:
        linked[edge.identifier] = linked.get(edge.identifier, 0) + 1
    return sorted(linked, key=lambda each: (-graph.bridges.get(each, 0), -linked[each], each))


def _units(graph: JoinGraph, identifiers: Collection[NormalizedIdentifier], most_alike: int) -> Units:
    drawn = set(identifiers)
    edges = [edge for edge in graph.edges if edge.identifier in drawn]
    in_order = [each for each in graph.identifiers if each in drawn]
    return Units(list(_groups(graph.records, edges, most_alike)), in_order, edges)


def _groups(records: Mapping[UUID, Record], edges: Sequence[Edge], most_alike: int) -> Iterator[Group]:
    brought: dict[UUID, set[NormalizedIdentifier]] = {}
    matched: dict[UUID, set[NormalizedIdentifier]] = {}
    for edge in edges:
        (brought if edge.is_bringer else matched).setdefault(edge.record, set()).add(edge.identifier)
    alike: dict[tuple[frozenset[NormalizedIdentifier], ...], list[Record]] = {}
    for record in dict.fromkeys(edge.record for edge in edges):
        key = frozenset(brought.get(record, ())), frozenset(matched.get(record, ()))
        alike.setdefault(key, []).append(records[record])
    for (of_bringers, of_others), group in alike.items():
        together = [group] if len(group) > most_alike else [[each] for each in group]
        yield from (Group(alone, of_bringers, of_others) for alone in together)
