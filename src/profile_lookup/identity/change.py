"""What one request asks to change about one person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from profile_lookup.identity.blocked_values import PLACEHOLDERS_ALONE, BlockedValues
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.traits import BlockedTrait, promote


@dataclass(frozen=True, slots=True)
class Change:
    """The change applies to the profile that the request addresses, or to the one that its identifiers name.

    - `incoming`: identifiers to add, each once, in the request's order
    - `traits`: values to write; None removes a trait
    - `replaced`: an identifier to remove in favour of the incoming one, which then gets the request's time
    - `blocked`: what the traits would have added, had it not been blocked
    - `sent`: the values as they were sent, of identifiers that may be stored in an earlier form
    """

    incoming: tuple[NormalizedIdentifier, ...] = ()
    traits: Mapping[TraitName, TraitValue | None] = field(default_factory=dict)
    replaced: NormalizedIdentifier | None = None
    blocked: tuple[BlockedTrait, ...] = ()
    sent: Mapping[NormalizedIdentifier, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def asks_for_something(self) -> bool:
        """Whether it adds, writes or removes anything."""
        return bool(self.incoming or self.traits or self.replaced)

    @classmethod
    def of_traits(
        cls,
        groups: Mapping[str, TraitGroup],
        settings: IdentityResolutionSettings,
        traits: Mapping[TraitName, TraitValue | None],
        blocked_values: BlockedValues = PLACEHOLDERS_ALONE,
    ) -> Self:
        """Return the change that writes these traits and adds their identifiers. Raises `TraitValueRefused`."""
        promotion = promote(groups, settings, traits, blocked_values)
        return cls(promotion.identifiers, traits, blocked=promotion.blocked, sent=promotion.sent)


NO_CHANGE = Change()
