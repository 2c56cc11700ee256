"""Blocked values identify nobody: a placeholder, or an address that many share, would make strangers one person.

The trait keeps a blocked value, but no identifier is made of it, so that resolution never sees it.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

from profile_lookup.errors import IdentifierRefused, RequestRefused, UnknownIdentifierType, ValueRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.identity.values.built_in_blocked_values import built_in_blocked_value, is_placeholder
from profile_lookup.identity.values.normalization import MAX_LENGTH, Normalization, normalize
from profile_lookup.identity.values.patterns import effort, matches, why_no_pattern

MAX_VALUES = 1000
MAX_ALLOWED = 1000
MAX_PATTERNS = 100
MAX_EFFORT = 4_000_000
"""The most that trying all patterns on one value may cost (`patterns.effort`): some hundredths of a second at worst."""

PROFILES_PER_VALUE = range(2, 1001)


@dataclass(frozen=True, slots=True)
class Block:
    """Why a value identifies nobody. `reason` is for people and never carries the value."""

    by: Literal["placeholder", "builtIn", "value", "pattern"]
    reason: str


_KEEP_WORDS = frozenset[Normalization](("trim", "none"))
"""The kinds by which a placeholder normalizes; the others refuse it."""

_PLACEHOLDER = Block("placeholder", "a word that stands for no value")
_VALUE = Block("value", "one of the store's blocked values")
_PATTERN = Block("pattern", "a value that a pattern of the store's blocked values matches")


@dataclass(frozen=True, slots=True)
class BlockedPattern:
    """`pattern` has RE2's syntax and may match anywhere in a normalized value of this type."""

    id_type: str
    pattern: str


@dataclass(frozen=True)
class BlockedValues:
    """What a store blocks, beside the placeholders that every store blocks.

    - `built_in`: whether the built-in list counts
    - `values`, `patterns`: what the store blocks of its own
    - `allowed`: exempt from the built-in list, the patterns and `max_profiles_per_value`, but not from `values`
    - `max_profiles_per_value`: under how many names a value may join writes to one person; None is no limit

    Raises `RequestRefused`, so that an object is always valid.
    """

    built_in: bool = False
    values: tuple[NormalizedIdentifier, ...] = ()
    patterns: tuple[BlockedPattern, ...] = ()
    allowed: tuple[NormalizedIdentifier, ...] = ()
    max_profiles_per_value: int | None = None

    def __post_init__(self) -> None:
        _refuse_more("values", len(self.values), MAX_VALUES)
        _refuse_more("patterns", len(self.patterns), MAX_PATTERNS)
        _refuse_more("allowed", len(self.allowed), MAX_ALLOWED)
        if self.max_profiles_per_value is not None and self.max_profiles_per_value not in PROFILES_PER_VALUE:
            raise RequestRefused("maxProfilesPerValue: expected 2-1000")

    @classmethod
    def of(
        cls,
        settings: IdentityResolutionSettings,
        *,
        built_in: bool,
        values: Iterable[Identifier] = (),
        patterns: Iterable[BlockedPattern] = (),
        allowed: Iterable[Identifier] = (),
        max_profiles_per_value: int | None = None,
    ) -> Self:
        """Return what a client asks to block, each value normalized and once, each pattern compiled.

        Raises `RequestRefused`, also for a value that its type refuses.
        """
        sent_patterns = list(patterns)
        blocked_values = cls(
            built_in,
            _normalized(settings, "values", values),
            tuple(dict.fromkeys(sent_patterns)),
            _normalized(settings, "allowed", allowed),
            max_profiles_per_value,
        )
        _refuse_bad_patterns(settings, sent_patterns)
        return blocked_values

    def with_values(self, settings: IdentityResolutionSettings, values: Iterable[Identifier]) -> Self:
        """Return what is blocked if these values are blocked, too.

        Raises `RequestRefused`, whose message calls them `block`.
        """
        all_values = tuple(dict.fromkeys((*self.values, *_normalized(settings, "block", values))))
        if len(all_values) > MAX_VALUES:
            raise RequestRefused(f"block: expected at most {MAX_VALUES} values together with those that are blocked")
        return replace(self, values=all_values)

    def judge(self, settings: IdentityResolutionSettings, sent: Identifier) -> NormalizedIdentifier | Block:
        """Return the identifier as a store keeps it, or why it identifies nobody.

        Raises `UnknownIdentifierType` or `ValueRefused`. A placeholder is blocked also where its type would refuse it.
        """
        return self.judge_value(settings.config(sent.id_type), sent.value)

    def judge_value(self, config: IdentifierConfig, value: str) -> NormalizedIdentifier | Block:
        """Return what `judge` returns for a value of a configured type. Raises `ValueRefused`."""
        if is_placeholder(value):
            return _PLACEHOLDER
        identifier = NormalizedIdentifier(config.id_type, normalize(config.normalization, value))
        return self._listed(config.normalization, identifier) or identifier

    def refuse_blocked(self, settings: IdentityResolutionSettings, sent: Identifier) -> NormalizedIdentifier:
        """Return the identifier as a store keeps it.

        Raises what `judge` raises, and `ValueRefused` if the identifier is blocked.
        """
        judged = self.judge(settings, sent)
        if isinstance(judged, Block):
            raise ValueRefused(f"expected a value that identifies somebody; this one is blocked ({judged.reason})")
        return judged

    def block(self, settings: IdentityResolutionSettings, identifier: NormalizedIdentifier) -> Block | None:
        """Return why an identifier that is normalized already identifies nobody; None if it does."""
        normalization = settings.config(identifier.id_type).normalization
        if normalization in _KEEP_WORDS and is_placeholder(identifier.value):
            return _PLACEHOLDER
        return self._listed(normalization, identifier)

    def _listed(self, normalization: Normalization, identifier: NormalizedIdentifier) -> Block | None:
        if self.values and identifier in self._values:
            return _VALUE
        block = None
        if self.built_in and (entry := built_in_blocked_value(normalization, identifier.value)):
            block = Block("builtIn", entry.reason)
        elif self.patterns and any(matches(each, identifier.value) for each in self._patterns_of(identifier.id_type)):
            block = _PATTERN
        return None if block and self.is_allowed(identifier) else block

    def _patterns_of(self, id_type: str) -> Sequence[str]:
        return self._patterns.get(id_type, ())

    def adapted_to(self, settings: IdentityResolutionSettings) -> Self:
        """Return what is blocked under other settings: values are normalized anew.

        Those that the settings refuse, or whose type is no longer configured, are left out.
        """
        return replace(
            self,
            values=tuple(dict.fromkeys(_normalizable(settings, self.values))),
            patterns=tuple(each for each in self.patterns if each.id_type in settings.id_types),
            allowed=tuple(dict.fromkeys(_normalizable(settings, self.allowed))),
        )

    @property
    def definitions(self) -> int:
        """The number of values and patterns."""
        return len(self.values) + len(self.patterns) + len(self.allowed)

    def is_allowed(self, identifier: NormalizedIdentifier) -> bool:
        return identifier in self._allowed

    @cached_property
    def _values(self) -> frozenset[NormalizedIdentifier]:
        return frozenset(self.values)

    @cached_property
    def _allowed(self) -> frozenset[NormalizedIdentifier]:
        return frozenset(self.allowed)

    @cached_property
    def _patterns(self) -> dict[str, list[str]]:
        by_type: dict[str, list[str]] = {}
        for each in self.patterns:
            by_type.setdefault(each.id_type, []).append(each.pattern)
        return by_type


def _normalized(
    settings: IdentityResolutionSettings, field: str, sent: Iterable[Identifier]
) -> tuple[NormalizedIdentifier, ...]:
    normalized: dict[NormalizedIdentifier, None] = {}
    for position, each in enumerate(sent):
        try:
            normalized[settings.normalize(each)] = None
        except IdentifierRefused as refused:
            raise RequestRefused(f"{field}.{position}.{refused}") from None
    return tuple(normalized)


def _normalizable(
    settings: IdentityResolutionSettings, identifiers: Iterable[NormalizedIdentifier]
) -> Iterator[NormalizedIdentifier]:
    for each in identifiers:
        with suppress(IdentifierRefused):
            yield settings.normalize(Identifier(each.id_type, each.value))


def _refuse_more(field: str, count: int, limit: int) -> None:
    if count > limit:
        raise RequestRefused(f"{field}: expected at most {limit}")


def _refuse_bad_patterns(settings: IdentityResolutionSettings, patterns: Iterable[BlockedPattern]) -> None:
    cost = 0
    for position, each in enumerate(patterns):
        if each.id_type not in settings.id_types:
            raise RequestRefused(f"patterns.{position}.{UnknownIdentifierType(settings.id_types)}")
        if expected := why_no_pattern(each.pattern):
            raise RequestRefused(f"patterns.{position}.pattern: {expected}")
        cost += effort(each.pattern, MAX_LENGTH)
    if cost > MAX_EFFORT:
        raise RequestRefused("patterns: expected fewer or simpler ones")


PLACEHOLDERS_ALONE = BlockedValues()
"""What a store blocks that has no blocked values of its own."""

NEW_STORES_BLOCKED_VALUES = BlockedValues(built_in=True)
"""What a new store blocks until its owner says otherwise."""
