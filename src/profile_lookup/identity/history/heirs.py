"""Which parts of a person the profiles have become of which the events speak."""

from collections.abc import Collection
from uuid import UUID


class Heirs:
    """Knows the IDs of the parts that each profile of the events has become.

    Profiles that are one person according to the events share a set.
    """

    def __init__(self) -> None:
        self._heirs: dict[UUID, set[UUID]] = {}

    def of(self, profile_id: UUID) -> set[UUID]:
        return self._heirs.get(profile_id) or {profile_id}

    def unite(self, profile_ids: Collection[UUID], new: Collection[UUID] = ()) -> None:
        """Let these profiles share their heirs and the new ones.

        The largest of their sets takes up the others, so that many joins take no longer than few.
        """
        largest, *others = sorted([*map(self.of, profile_ids), set(new)], key=len, reverse=True)
        largest.update(*others)
        self._heirs |= dict.fromkeys(profile_ids, largest)
