"""The values of one row: what its cells hold, whom they identify, and which of them do not count."""

from typing import NamedTuple

from profile_lookup.identity.blocked_values import Block
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import IdentifierConfig
from profile_lookup.identity.trait_definitions import TraitDefinition
from profile_lookup.identity.traits import BlockedTrait, TraitReader


class IgnoredCell(NamedTuple):
    column: str
    reason: str


class Column(NamedTuple):
    """A mapped column with its trait's definition. `place` is that of its cell among the cells of a row.

    - `config`: that of the identifiers that its values are promoted to, if they are
    - `takes_any_text`: any text that a store can hold is a value of the trait, which has no rule
    """

    place: int
    name: str
    trait: TraitName
    definition: TraitDefinition
    config: IdentifierConfig | None
    takes_any_text: bool


class RowValues:
    """What the cells of a row hold. It is no dataclass, since making one takes longer, and each row has one.

    - `identifiers`: each with the value that it was made of
    - `blocked`: the values that identify nobody
    - `ignored`: the cells that do not count, by their places
    - `first_bad`: the first of these that holds no blocked value but a bad one
    """

    __slots__ = ("_blocked_traits", "blocked", "first_bad", "identifiers", "ignored", "reader", "traits")

    def __init__(self) -> None:
        self.reader = TraitReader()
        self.traits: dict[TraitName, TraitValue] = {}
        self.identifiers: dict[NormalizedIdentifier, str] = {}
        self.blocked: list[BlockedTrait] = []
        self.ignored: dict[int, IgnoredCell] = {}
        self.first_bad: IgnoredCell | None = None
        self._blocked_traits: set[TraitName] = set()

    def add(self, column: Column, value: TraitValue, item: str, judged: NormalizedIdentifier | Block) -> None:
        """Add a value, of which an item identifies somebody or is blocked.

        The first value of a trait is the trait, unless it is blocked and another one is not.
        """
        if isinstance(judged, Block):
            self.blocked.append(BlockedTrait(column.trait, column.config.id_type if column.config else "", judged))
            self.ignored.setdefault(column.place, IgnoredCell(column.name, judged.reason))
            if column.trait not in self.traits:
                self._blocked_traits.add(column.trait)
                self.traits[column.trait] = value
            return
        self.identifiers.setdefault(judged, item)
        if column.trait not in self.traits:
            self.traits[column.trait] = value
        elif column.trait in self._blocked_traits:
            self._blocked_traits.discard(column.trait)
            self.traits[column.trait] = value

    def ignore(self, column: Column, reason: str) -> None:
        bad = IgnoredCell(column.name, reason)
        self.ignored.setdefault(column.place, bad)
        self.first_bad = self.first_bad or bad
