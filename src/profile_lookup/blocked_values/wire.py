"""The JSON bodies of blocked values."""

from typing import Annotated, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.identity.blocked_values import (
    MAX_ALLOWED,
    MAX_PATTERNS,
    MAX_VALUES,
    PROFILES_PER_VALUE,
    BlockedPattern,
    BlockedValues,
)
from profile_lookup.identity.identifier import Identifier
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.values.built_in_blocked_values import BuiltInValue
from profile_lookup.identity.values.normalization import Normalization
from profile_lookup.identity.values.patterns import MAX_PATTERN
from profile_lookup.web.identifier_wire import IdentifierBody, IdType
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, Storable, WireModel


class BlockedPatternBody(WireModel):
    id_type: IdType
    pattern: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_PATTERN,
            description="A regular expression of RE2's syntax. It may match anywhere in a normalized value.",
            examples=["^no-?reply@"],
        ),
        Storable,
    ]


MaxProfilesPerValue = Annotated[
    int,
    Field(
        ge=PROFILES_PER_VALUE[0],
        le=PROFILES_PER_VALUE[-1],
        description="Under how many different names a value of a unique type may join writes to one person. "
        "Beyond, a write is resolved as if it did not carry the value. Without it, there is no limit.",
    ),
]


class BlockedValuesBody(WireModel):
    built_in: bool = Field(description="Whether the built-in list counts. A new store begins with true.")
    values: list[IdentifierBody] = Field(
        default=[], max_length=MAX_VALUES, description="Values that identify nobody. They are normalized."
    )
    patterns: list[BlockedPatternBody] = Field(
        default=[], max_length=MAX_PATTERNS, description="A value that one of them matches identifies nobody."
    )
    allowed: list[IdentifierBody] = Field(
        default=[],
        max_length=MAX_ALLOWED,
        description="Exempt from the built-in list, `patterns` and `maxProfilesPerValue`, but not from `values`.",
    )
    max_profiles_per_value: Annotated[MaxProfilesPerValue | None, MayBeAbsent] = None

    def to_domain(self, settings: IdentityResolutionSettings) -> BlockedValues:
        """Raises `RequestRefused`."""
        return BlockedValues.of(
            settings,
            built_in=self.built_in,
            values=[each.to_domain() for each in self.values],
            patterns=[BlockedPattern(each.id_type, each.pattern) for each in self.patterns],
            allowed=[each.to_domain() for each in self.allowed],
            max_profiles_per_value=self.max_profiles_per_value,
        )

    @classmethod
    def of_domain(cls, blocked_values: BlockedValues) -> "BlockedValuesBody":
        return cls.model_construct(
            built_in=blocked_values.built_in,
            values=[_body_of(Identifier(*each)) for each in blocked_values.values],
            patterns=[
                BlockedPatternBody.model_construct(id_type=each.id_type, pattern=each.pattern)
                for each in blocked_values.patterns
            ],
            allowed=[_body_of(Identifier(*each)) for each in blocked_values.allowed],
            max_profiles_per_value=blocked_values.max_profiles_per_value,
        )


class BuiltInBlockedValue(AnswerModel):
    normalization: Normalization = Field(description="It counts for types with this normalization.")
    reason: str = Field(description="Why it identifies nobody.")
    value: str | SkipJsonSchema[None] = Field(default=None, description="A normalized value.")
    local_part: str | SkipJsonSchema[None] = Field(
        default=None, description="An e-mail address's local part, at any domain."
    )

    @classmethod
    def of_domain(cls, entry: BuiltInValue) -> Self:
        return cls(
            normalization=entry.normalization, reason=entry.reason, value=entry.value, local_part=entry.local_part
        )


class BuiltInBlockedValues(AnswerModel):
    placeholders: list[str] = Field(description="Words that stand for no value, in any case. Every store blocks them.")
    values: list[BuiltInBlockedValue] = Field(description="The list that `builtIn` turns on.")


def _body_of(identifier: Identifier) -> IdentifierBody:
    return IdentifierBody.model_construct(id_type=identifier.id_type, value=identifier.value)
