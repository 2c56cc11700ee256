"""The joins of a person as a list: by the identifiers that joined, those that hold most together first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profile_lookup.console.graph.texts import written_name
from profile_lookup.identity.history.event import Event, is_forgotten
from profile_lookup.identity.history.explanation import Explanation
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.web import ids

MOST_LISTED = 1000
"""So many joins are listed, the latest. A page with many more would be too large."""


@dataclass(frozen=True, slots=True)
class ListedJoin:
    """A join. `number`: its place among all joins of the person, from 1.

    - `name`: the name that its request carried, or empty
    - `by`: the identifiers that joined, and that were not removed since
    """

    number: int
    event: Event
    name: str
    by: Sequence[NormalizedIdentifier]


@dataclass(frozen=True, slots=True)
class JoinsByIdentifier:
    """The joins that an identifier made, earliest first. `identifier` is None if its value was removed since.

    `holds_together`: into how many parts the person would fall without the identifier; 1 if it is no bridge.
    """

    identifier: NormalizedIdentifier | None
    holds_together: int
    joins: Sequence[ListedJoin]

    @property
    def event_ids(self) -> list[str]:
        return [ids.event_id(join.event.id) for join in self.joins]


def joins_by_identifier(explanation: Explanation) -> list[JoinsByIdentifier]:
    """Return the latest joins, each once: with the identifier that holds most together, of those that made it."""
    bridges = {bridge.identifier: bridge.holds_together for bridge in explanation.bridges}
    counts = Counter(each for join in explanation.joins for each in identifiers_of(join))
    groups: dict[NormalizedIdentifier | None, list[ListedJoin]] = {}
    first = max(len(explanation.joins) - MOST_LISTED, 0)
    for number, join in enumerate(explanation.joins[first:], first + 1):
        by = sorted(identifiers_of(join), key=lambda each: (-bridges.get(each, 1), -counts[each], each))
        listed = ListedJoin(number, join, written_name(join), by)
        groups.setdefault(by[0] if by else None, []).append(listed)
    found = [JoinsByIdentifier(each, _holds(bridges, each), joins) for each, joins in groups.items()]
    return sorted(found, key=lambda group: (-group.holds_together, -len(group.joins)))


def identifiers_of(join: Event) -> list[NormalizedIdentifier]:
    """Return the identifiers by which a join was made, each once, but for those that were removed since."""
    return list(dict.fromkeys(each.identifier for each in join.matched if not is_forgotten(each.identifier)))


def _holds(bridges: Mapping[NormalizedIdentifier, int], identifier: NormalizedIdentifier | None) -> int:
    return 1 if identifier is None else bridges.get(identifier, 1)
