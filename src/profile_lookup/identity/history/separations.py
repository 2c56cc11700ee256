"""Separations: a split keeps its parts apart, so that they never become one person again."""

from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID


class Separation(NamedTuple):
    """A decision about one ID: it belongs to this part.

    A split keeps every ID of a part apart from every ID of the other parts. `is_lifted`: the decision permits what
    earlier ones forbid, so IDs of its two parts may be one person again. Decisions are time-ordered: the newest counts.
    """

    decision: UUID
    part: int
    is_lifted: bool = False


Separations = frozenset[Separation]
"""The separations of one ID."""

SeparationsOfIds = frozenset[Separations]
"""The separations of all IDs of a person, aliases included. IDs with equal ones count once."""

NOT_SEPARATED: SeparationsOfIds = frozenset()


def are_apart(one: SeparationsOfIds, other: SeparationsOfIds) -> bool:
    """Return whether any ID of one person is kept apart from any ID of the other."""
    return any(_ids_are_apart(mine, theirs) for mine in one for theirs in other)


def parted(decision: UUID, parts: Collection[Collection[UUID]], *, is_lifted: bool = False) -> dict[UUID, Separation]:
    """Return the separation of each ID when these parts, given as all their IDs, are kept apart."""
    return {each: Separation(decision, number, is_lifted) for number, part_ids in enumerate(parts) for each in part_ids}


def of_person(ids: Collection[UUID], separations: Mapping[UUID, Separations]) -> SeparationsOfIds:
    """Return what keeps a person with these IDs apart from others."""
    return frozenset(separations[each] for each in ids if separations.get(each))


def _ids_are_apart(mine: Separations, theirs: Separations) -> bool:
    part_of = {each.decision: each for each in theirs}
    about_both = [each for each in mine if each.decision in part_of and part_of[each.decision].part != each.part]
    return bool(about_both) and not max(about_both).is_lifted
