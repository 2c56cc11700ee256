"""The rules of stores as this process last read them: one entry per store, bounded by what the entries hold.

A store's rules change seldom, and may be megabytes: 50 trait groups of 95 traits. Whoever needs them sends the revision
that is cached, and the database sends the documents only if it has another one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup

MAX_DEFINITIONS = 200_000
"""Trait definitions in all entries together: some hundred megabytes if each has its longest texts."""


@dataclass(frozen=True, slots=True)
class Store:
    """An active store and its rules as they were when they were read. They hold while `revision` is the store's."""

    account_id: UUID
    id: UUID
    settings: IdentityResolutionSettings
    settings_version: int
    trait_groups: Mapping[str, TraitGroup]
    revision: int
    created_at: datetime

    @property
    def definitions(self) -> int:
        """How many definitions the rules hold, with one for the store itself."""
        return 1 + sum(len(group.traits) for group in self.trait_groups.values())


class RulesCache:
    """Holds the newest known revision of each store. The least recently used entries leave first."""

    def __init__(self, max_definitions: int = MAX_DEFINITIONS) -> None:
        self._max_definitions = max_definitions
        self._definitions = 0
        self._stores: OrderedDict[UUID, tuple[Store, int]] = OrderedDict()

    def get(self, store_id: UUID | None) -> Store | None:
        found = self._stores.get(store_id) if store_id is not None else None
        if found is None:
            return None
        self._stores.move_to_end(found[0].id)
        return found[0]

    def put(self, store: Store) -> None:
        known = self._stores.get(store.id)
        if known is not None and known[0].revision > store.revision:
            return  # a slower reader read it before the last change
        self.discard(store.id)
        self._stores[store.id] = store, store.definitions
        self._definitions += store.definitions
        while self._definitions > self._max_definitions and len(self._stores) > 1:
            self.discard(next(iter(self._stores)))

    def discard(self, store_id: UUID) -> None:
        _, definitions = self._stores.pop(store_id, (None, 0))
        self._definitions -= definitions


RULES = RulesCache()
"""The one cache of this process."""
