"""The JSON bodies of identity resolution settings."""

from dataclasses import asdict
from typing import Annotated

from pydantic import ConfigDict, Field

from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.identity.rules import (
    LIMITS,
    MATCHING_THRESHOLDS,
    MAX_RULES,
    MAX_TYPES,
    IdentifierConfig,
    IdentityResolutionSettings,
    LimitPolicy,
    MatchingAlgo,
)
from profile_lookup.identity.values.normalization import Normalization
from profile_lookup.web.wire import MayBeAbsent, WireModel

IdType = Annotated[str, Field(min_length=2, max_length=30, examples=["phone"])]


class IdentifierConfigBody(WireModel):
    id_type: IdType = Field(description="Letters, digits, hyphens and underscores; it is case-sensitive.")
    matching_algo: MatchingAlgo = Field(
        default="exact", description="With `fuzzy`, Lookup also finds profiles whose value is similar (by trigrams)."
    )
    matching_threshold: int = Field(
        default=75, ge=MATCHING_THRESHOLDS[0], le=MATCHING_THRESHOLDS[-1], description="Percent; for `fuzzy` only."
    )
    limit: int = Field(
        default=100, ge=LIMITS[0], le=LIMITS[-1], description="How many values of this type a profile may keep."
    )
    limit_policy: LimitPolicy = Field(
        default="fifo", description="Over the limit, `fifo` removes the oldest value, and `lifo` the newest."
    )
    enforce_unique: bool = Field(
        default=True,
        description="If true, no two profiles share a value. If false, a merge needs two matching identifiers.",
    )
    normalization: Normalization = "trim"

    @classmethod
    def of_domain(cls, config: IdentifierConfig) -> "IdentifierConfigBody":
        return cls.model_construct(**asdict(config))

    def to_domain(self) -> IdentifierConfig:
        """Raises `SettingsRefused`."""
        return IdentifierConfig(**self.model_dump())


class IdentityResolutionSettingsBody(WireModel):
    # The contract allows other members, so a fetched document can be sent back with its version.
    model_config = ConfigDict(extra="ignore")

    identifier_configs: list[IdentifierConfigBody] = Field(min_length=1, max_length=MAX_TYPES)
    matching_rules: list[Annotated[str, Field(max_length=30)]] = Field(
        min_length=1, max_length=MAX_RULES, description="Identifier types in priority order, with OR between them."
    )

    def to_domain(self) -> IdentityResolutionSettings:
        """Raises `SettingsRefused`."""
        return IdentityResolutionSettings(
            tuple(config.to_domain() for config in self.identifier_configs), tuple(self.matching_rules)
        )


class SettingsPreviewBody(IdentityResolutionSettingsBody):
    blocked_values: Annotated[BlockedValuesBody | None, MayBeAbsent] = Field(
        default=None,
        description="Blocked values to try, too, as if they were put before the settings. Without them, those in force "
        "count.",
    )


class IdentityResolutionSettingsAnswer(IdentityResolutionSettingsBody):
    version: int = Field(ge=1, description="It counts the changes.")

    @classmethod
    def of_domain(cls, settings: IdentityResolutionSettings, version: int) -> "IdentityResolutionSettingsAnswer":
        configs = [IdentifierConfigBody.of_domain(config) for config in settings.identifier_configs]
        return cls.model_construct(
            identifier_configs=configs, matching_rules=list(settings.matching_rules), version=version
        )
