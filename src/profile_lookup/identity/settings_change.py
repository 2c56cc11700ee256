"""What a change of a store's identity resolution settings means for what is stored."""

from dataclasses import dataclass
from functools import cached_property

from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings


@dataclass(frozen=True)
class SettingsChange:
    """From settings in force to others. Each property names identifier types, in the order of the new settings."""

    before: IdentityResolutionSettings
    after: IdentityResolutionSettings

    @property
    def removed(self) -> list[str]:
        """No longer configured, in the order of the old settings."""
        return [id_type for id_type in self.before.id_types if id_type not in self.after.id_types]

    @property
    def renormalized(self) -> list[str]:
        """Stored values are no longer what the same input would now give."""
        return [old.id_type for old, new in self._kept if old.normalization != new.normalization]

    @property
    def made_unique(self) -> list[str]:
        """Profiles may no longer share values."""
        return [old.id_type for old, new in self._kept if new.enforce_unique and not old.enforce_unique]

    @property
    def remarked(self) -> list[str]:
        """What each stored identifier repeats of its type's settings is another now."""
        return [
            old.id_type
            for old, new in self._kept
            if (old.enforce_unique, old.matching_algo) != (new.enforce_unique, new.matching_algo)
        ]

    @property
    def rewritten(self) -> list[str]:
        """What is stored of these types has to be written anew."""
        return list(dict.fromkeys([*self.renormalized, *self.remarked]))

    @cached_property
    def _kept(self) -> list[tuple[IdentifierConfig, IdentifierConfig]]:
        return [
            (self.before.config(id_type), self.after.config(id_type))
            for id_type in self.after.id_types
            if id_type in self.before.id_types
        ]
