"""Caches the rules of stores as this process last read them. The cache is limited by the size of the rules.

A store's rules change seldom, and may be megabytes: 50 trait groups of 95 traits. Statements that need them send the
cached revision, and the database returns the documents only if it has another one.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE, BlockedValues
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.values.normalization_version import CURRENT, NormalizationVersion

MAX_DEFINITIONS = 200_000
"""The maximum number of definitions, of traits and blocked values, in all entries.

A trait's with its longest texts takes 2.4 KB, or 8.4 KB if these are emoji; a usual one takes some hundred bytes.
"""


@dataclass(frozen=True, slots=True)
class StoreRules:
    """An active store and its rules as they were read. They are valid as long as the store has this `revision`."""

    account_id: UUID
    id: UUID
    settings: IdentityResolutionSettings
    settings_version: int
    trait_groups: Mapping[str, TraitGroup]
    revision: int
    created_at: datetime
    normalization: NormalizationVersion = CURRENT
    kept_values: int = 0
    blocked_values: BlockedValues = PLACEHOLDERS_ALONE
    blocked_values_version: int = 1
    renormalized_by: NormalizationVersion | None = None

    may_hold_former_values: bool = field(init=False)
    """Whether values may be stored in another form than the one that today's normalization gives them."""
    is_normalized_by_newer: bool = field(init=False)
    """Whether a newer version than that of this process normalized the values, or does so now."""

    def __post_init__(self) -> None:
        # Every lookup and every write needs them, and to compare versions takes longer than to read a field.
        object.__setattr__(self, "may_hold_former_values", self.normalization != CURRENT or self.kept_values > 0)
        versions = (self.normalization, self.renormalized_by)
        is_newer = any(each is not None and each.is_newer_than(CURRENT) for each in versions)
        object.__setattr__(self, "is_normalized_by_newer", is_newer)

    @property
    def definitions(self) -> int:
        """The number of definitions in the rules, blocked values included, plus one for the store itself."""
        return 1 + self.blocked_values.definitions + sum(len(group.traits) for group in self.trait_groups.values())


class RulesCache:
    """Holds the newest known revision of each store. The least recently used entries are discarded first."""

    def __init__(self, max_definitions: int = MAX_DEFINITIONS) -> None:
        self._max_definitions = max_definitions
        self._definitions = 0
        self._stores: OrderedDict[int, tuple[StoreRules, int]] = OrderedDict()

    def get(self, store_id: UUID | None) -> StoreRules | None:
        found = None if store_id is None else self._stores.get(store_id.int)
        if found is None or store_id is None:
            return None
        self._stores.move_to_end(store_id.int)
        return found[0]

    def put(self, store: StoreRules) -> None:
        known = self._stores.get(store.id.int)
        if known is not None and known[0].revision > store.revision:
            return  # a slower reader read it before the last change
        self.discard(store.id)
        self._stores[store.id.int] = store, store.definitions
        self._definitions += store.definitions
        while self._definitions > self._max_definitions and len(self._stores) > 1:
            self.discard(UUID(int=next(iter(self._stores))))

    def discard(self, store_id: UUID) -> None:
        _, definitions = self._stores.pop(store_id.int, (None, 0))
        self._definitions -= definitions


RULES = RulesCache()
"""The one cache of this process."""
