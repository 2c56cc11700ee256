"""A store's identity resolution settings say which identifier types it knows and which of them identify a person."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from profile_lookup.errors import SettingsRefused, UnknownIdentifierType
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier, is_id_type
from profile_lookup.identity.values.normalization import Normalization, normalize

MatchingAlgo = Literal["exact", "fuzzy"]
LimitPolicy = Literal["fifo", "lifo"]

MATCHING_THRESHOLDS = range(50, 100)  # percent
LIMITS = range(1, 101)  # values of a type on a profile
MAX_TYPES = 15
MAX_RULES = 15


@dataclass(frozen=True, slots=True)
class IdentifierConfig:
    """One identifier type. The defaults are the contract's.

    - `matching_threshold`: percent; it counts for `fuzzy` matching only
    - `limit`: how many values of this type a profile keeps; `limit_policy` says which
    - `enforce_unique`: no two profiles share a value; otherwise a merge needs two matching identifiers
    """

    id_type: str
    matching_algo: MatchingAlgo = "exact"
    matching_threshold: int = 75
    limit: int = 100
    limit_policy: LimitPolicy = "fifo"
    enforce_unique: bool = True
    normalization: Normalization = "trim"

    def __post_init__(self) -> None:
        if not is_id_type(self.id_type):
            raise SettingsRefused("idType: expected 2-30 letters, digits, hyphens or underscores")
        if self.matching_threshold not in MATCHING_THRESHOLDS:
            raise SettingsRefused("matchingThreshold: expected 50-99")
        if self.limit not in LIMITS:
            raise SettingsRefused("limit: expected 1-100")
        if self.matching_algo == "fuzzy" and self.normalization == "phone":
            raise SettingsRefused(
                "matchingAlgo: fuzzy does not go with normalization phone: three quarters of a number is a stranger"
            )


@dataclass(frozen=True)
class IdentityResolutionSettings:
    """The whole settings document. `matching_rules` are identifier types in priority order, with OR between them.

    Raises `SettingsRefused` when the parts contradict each other, so that a settings object is always valid.
    """

    identifier_configs: tuple[IdentifierConfig, ...]
    matching_rules: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.identifier_configs) <= MAX_TYPES:
            raise SettingsRefused(f"identifierConfigs: expected 1-{MAX_TYPES}")
        if not 1 <= len(self.matching_rules) <= MAX_RULES:
            raise SettingsRefused(f"matchingRules: expected 1-{MAX_RULES}")
        if len(self._by_type) < len(self.identifier_configs):
            raise SettingsRefused("identifierConfigs: expected each idType once")
        if len(set(self.matching_rules)) < len(self.matching_rules):
            raise SettingsRefused("matchingRules: expected each idType once")
        if not set(self.matching_rules) <= self._by_type.keys():
            raise SettingsRefused("matchingRules: expected idTypes that identifierConfigs configures")

    @cached_property
    def _by_type(self) -> dict[str, IdentifierConfig]:
        return {config.id_type: config for config in self.identifier_configs}

    @cached_property
    def id_types(self) -> tuple[str, ...]:
        """The configured types, in the document's order."""
        return tuple(self._by_type)

    def config(self, id_type: str) -> IdentifierConfig:
        """Return the configuration of a type. Raises `UnknownIdentifierType`."""
        try:
            return self._by_type[id_type]
        except KeyError:
            raise UnknownIdentifierType(self.id_types) from None

    @cached_property
    def fuzzy_types(self) -> frozenset[str]:
        """The types whose values a Lookup also finds by similarity."""
        return frozenset(config.id_type for config in self.identifier_configs if config.matching_algo == "fuzzy")

    def normalize(self, identifier: Identifier) -> NormalizedIdentifier:
        """Return the identifier as a store keeps it. Raises `UnknownIdentifierType` or `ValueRefused`."""
        config = self.config(identifier.id_type)
        return NormalizedIdentifier(config.id_type, normalize(config.normalization, identifier.value))

    def is_unique(self, id_type: str) -> bool:
        return self.config(id_type).enforce_unique

    @cached_property
    def unique_types(self) -> frozenset[str]:
        """The types whose values only one profile may hold."""
        return frozenset(config.id_type for config in self.identifier_configs if config.enforce_unique)

    @cached_property
    def identifying_types(self) -> frozenset[str]:
        """The types of whose values other holders matter: the type matches, or its values are unique."""
        return self.unique_types.union(self.matching_rules)


DEFAULT_SETTINGS = IdentityResolutionSettings(
    identifier_configs=(
        IdentifierConfig("email", normalization="email"),
        IdentifierConfig("whatsapp"),
        IdentifierConfig("phone", normalization="phone"),
        IdentifierConfig("chat"),
        IdentifierConfig("pushUserID"),
    ),
    matching_rules=("email", "whatsapp", "phone", "chat", "pushUserID"),
)
"""The settings of a new store: the five reserved types, each unique.

`pushUserID` is what push messages are addressed to. That it is the last rule, and trimmed, is ours.
"""
