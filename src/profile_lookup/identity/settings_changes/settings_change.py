"""A change of a store's identity resolution settings, and what has to be done to its stored identifiers."""

from dataclasses import dataclass
from functools import cached_property

from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings


@dataclass(frozen=True)
class SettingsChange:
    """The settings before and after. Each property lists identifier types, in the order of the new settings."""

    before: IdentityResolutionSettings
    after: IdentityResolutionSettings

    @property
    def removed(self) -> list[str]:
        """The types that are no longer configured, in the order of the old settings."""
        return [id_type for id_type in self.before.id_types if id_type not in self.after.id_types]

    @property
    def renormalized(self) -> list[str]:
        """The types whose stored values have to be normalized anew."""
        return [old.id_type for old, new in self._kept if old.normalization != new.normalization]

    @property
    def made_unique(self) -> list[str]:
        """The types whose values profiles may no longer share."""
        return [old.id_type for old, new in self._kept if new.enforce_unique and not old.enforce_unique]

    @property
    def remarked(self) -> list[str]:
        """The types of which each stored identifier repeats a setting (uniqueness, algorithm) that changes."""
        return [
            old.id_type
            for old, new in self._kept
            if (old.enforce_unique, old.matching_algo) != (new.enforce_unique, new.matching_algo)
        ]

    @property
    def rewritten(self) -> list[str]:
        """The types whose stored identifiers have to be rewritten."""
        return list(dict.fromkeys([*self.renormalized, *self.remarked]))

    @cached_property
    def _kept(self) -> list[tuple[IdentifierConfig, IdentifierConfig]]:
        return [
            (self.before.config(id_type), self.after.config(id_type))
            for id_type in self.after.id_types
            if id_type in self.before.id_types
        ]
