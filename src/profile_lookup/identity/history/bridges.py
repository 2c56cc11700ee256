"""Bridges: identifiers without which what they link would fall into several parts."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from profile_lookup.identity.identifier import NormalizedIdentifier

Vertex = UUID | NormalizedIdentifier
"""An identifier, or something that identifiers link."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """`holds_together`: into how many parts its person would fall without the identifier."""

    identifier: NormalizedIdentifier
    holds_together: int


def bridges_of(links: Mapping[NormalizedIdentifier, Collection[UUID]]) -> list[Bridge]:
    """Return the bridges, those that hold most together first. `links` maps each identifier to what it links.

    They are the articulation points among the identifiers of the graph whose edges lead from identifiers to what they
    link, found by one depth-first search (Hopcroft and Tarjan, 1973): the time grows with the number of edges.
    """
    neighbours: dict[Vertex, list[Vertex]] = {identifier: [*linked] for identifier, linked in links.items()}
    for identifier, linked in links.items():
        for each in linked:
            neighbours.setdefault(each, []).append(identifier)
    parts = _Search(neighbours).parts_without
    bridges = [Bridge(identifier, parts[identifier]) for identifier in links if parts.get(identifier, 1) > 1]
    return sorted(bridges, key=lambda bridge: (-bridge.holds_together, bridge.identifier))


class _Search:
    """A depth-first search. It begins at linked things only, so that each identifier has something above it.

    `_reached`: when each vertex was reached. `_earliest`: the earliest vertex that is reached from the vertex or from
    those below it, without the edge by which it was reached. `parts_without` an identifier: what is above it is one,
    and so is each part below it from which nothing earlier is reached.
    """

    def __init__(self, neighbours: Mapping[Vertex, list[Vertex]]) -> None:
        self._neighbours = neighbours
        self._reached: dict[Vertex, int] = {}
        self._earliest: dict[Vertex, int] = {}
        self.parts_without: dict[Vertex, int] = {}
        for vertex in neighbours:
            if isinstance(vertex, UUID) and vertex not in self._reached:
                self._search_from(vertex)

    def _search_from(self, root: Vertex) -> None:
        path: list[tuple[Vertex, Iterator[Vertex]]] = [self._reach(root)]
        while path:
            vertex, remaining = path[-1]
            above = path[-2][0] if len(path) > 1 else None
            for neighbour in remaining:
                if neighbour not in self._reached:
                    path.append(self._reach(neighbour))
                    break
                if neighbour != above:
                    self._earliest[vertex] = min(self._earliest[vertex], self._reached[neighbour])
            else:
                path.pop()
                if above is not None:
                    self._leave(vertex, above)

    def _reach(self, vertex: Vertex) -> tuple[Vertex, Iterator[Vertex]]:
        self._reached[vertex] = self._earliest[vertex] = len(self._reached)
        self.parts_without[vertex] = 1
        return vertex, iter(self._neighbours[vertex])

    def _leave(self, vertex: Vertex, above: Vertex) -> None:
        self._earliest[above] = min(self._earliest[above], self._earliest[vertex])
        if self._earliest[vertex] >= self._reached[above]:
            self.parts_without[above] += 1
