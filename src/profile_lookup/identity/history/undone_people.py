"""Several people without an import: a value comes back to one once another, who had it by the import, has lost it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from profile_lookup.identity.history.import_undo import (
    BLOCKED,
    HELD_BY_OTHERS,
    NOT_CONFIGURED,
    PersonWithoutImport,
    StaysAsItIs,
    UndoneImport,
    identifiers_of_undo,
    lost_identifiers,
    without_import,
)
from profile_lookup.identity.history.splitting import Person
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings


@dataclass(frozen=True, slots=True)
class Undone:
    """A person, and what is left of it; or the reason why it stays as it is.

    - `withheld`: values that it had, and that somebody else has now
    - `missing`: why values that it had did not come back, if some did not
    """

    person: Person
    left: PersonWithoutImport | str
    withheld: frozenset[NormalizedIdentifier]
    missing: tuple[str, ...] = ()

    def holds(self, identifier: NormalizedIdentifier) -> bool:
        if isinstance(self.left, str):
            return identifier in self.person.profile.identifiers
        return any(identifier in part.profile.identifiers for part in self.left.parts)


@dataclass(frozen=True, slots=True)
class ImportUndo:
    """The undo of an import, by the rules of a store. `undo_id` is the operation's."""

    settings: IdentityResolutionSettings
    undone_import: UndoneImport
    undo_id: UUID
    is_blocked: Callable[[NormalizedIdentifier], bool] = lambda _: False
    is_defined: Callable[[TraitName], bool] = lambda _: True

    def undone(self, people: Mapping[UUID, Person], holders: Mapping[NormalizedIdentifier, UUID]) -> dict[UUID, Undone]:
        """Return what is left of each of these people, by their canonical IDs.

        `holders` are those who hold values that may come back, of types that allow one holder only.
        """
        undone = {each: self._undone(person, self._held(person, holders)) for each, person in people.items()}
        waiting = [each for each, done in undone.items() if done.withheld]
        while waiting := [each for each in waiting if _free(undone, holders, each)]:
            for each in waiting:
                undone[each] = self._undone(people[each], undone[each].withheld - _free(undone, holders, each))
        return {each: self._explained(done) for each, done in undone.items()}

    def _explained(self, undone: Undone) -> Undone:
        """Return what is left of a person, and why some of its values did not come back."""
        withheld = self._would_return(undone)
        lost = {each for each in lost_identifiers(undone.person, self.undone_import) if not undone.holds(each)}
        reasons = {
            HELD_BY_OTHERS: bool(withheld),
            BLOCKED: any(map(self.is_blocked, lost)),
            NOT_CONFIGURED: any(each.id_type not in self.settings.id_types for each in lost),
        }
        missing = tuple(reason for reason, applies in reasons.items() if applies)
        return replace(undone, withheld=withheld, missing=missing)

    def _would_return(self, undone: Undone) -> frozenset[NormalizedIdentifier]:
        """Return which of the withheld values would have come back. Only the import had given it the others."""
        if not undone.withheld:
            return undone.withheld
        everything = self._undone(undone.person, frozenset())
        return frozenset(filter(everything.holds, undone.withheld))

    def _held(self, person: Person, holders: Mapping[NormalizedIdentifier, UUID]) -> frozenset[NormalizedIdentifier]:
        return frozenset(identifiers_of_undo(person, self.undone_import) & holders.keys())

    def _undone(self, person: Person, withheld: frozenset[NormalizedIdentifier]) -> Undone:
        possible = identifiers_of_undo(person, self.undone_import).union(person.profile.identifiers)
        blocked = set(filter(self.is_blocked, possible))
        left: PersonWithoutImport | str
        try:
            left = without_import(
                self.settings, person, self.undone_import, self.undo_id, blocked | withheld, self.is_defined
            )
        except StaysAsItIs as reason:
            left = str(reason)
        return Undone(person, left, withheld)


def _free(
    undone: Mapping[UUID, Undone], holders: Mapping[NormalizedIdentifier, UUID], profile_id: UUID
) -> frozenset[NormalizedIdentifier]:
    """Return which of the values that did not come back to a person nobody holds any more."""
    return frozenset(
        each
        for each in undone[profile_id].withheld
        if holders[each] in undone and not any(other.holds(each) for other in undone.values())
    )
