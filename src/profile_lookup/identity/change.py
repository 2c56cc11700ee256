"""What a request wants to be so of one person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import TraitName, TraitValue
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.traits import promoted_identifiers


@dataclass(frozen=True, slots=True)
class Change:
    """To a profile that is known, or to whoever the identifiers turn out to name.

    - `incoming`: identifiers to add, each once, in the request's order
    - `traits`: values to write; None removes a trait
    - `replaced`: an identifier that makes room for the incoming one, which then has the request's time
    """

    incoming: tuple[NormalizedIdentifier, ...] = ()
    traits: Mapping[TraitName, TraitValue | None] = field(default_factory=dict)
    replaced: NormalizedIdentifier | None = None

    @classmethod
    def of_traits(
        cls,
        groups: Mapping[str, TraitGroup],
        settings: IdentityResolutionSettings,
        traits: Mapping[TraitName, TraitValue | None],
    ) -> Self:
        """To write these traits, and to add the identifiers among them. Raises `TraitValueRefused`."""
        return cls(tuple(promoted_identifiers(groups, settings, traits)), traits)
