"""Whether what comes from elsewhere, as it is, could be in a store with these rules.

Limits and validation rules are not looked at: they count from the next write on.
"""

from collections.abc import Mapping

from profile_lookup.errors import TraitsRefused, ValueRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.traits import refuse_unstorable


def refuse_unlike_normalized(settings: IdentityResolutionSettings, identifier: NormalizedIdentifier) -> None:
    """Raises `UnknownIdentifierType` or `ValueRefused`."""
    if settings.normalize(Identifier(identifier.id_type, identifier.value)) != identifier:
        raise ValueRefused("expected it as the normalization of its type leaves it")


def refuse_unlike_defined(groups: Mapping[str, TraitGroup], traits: Mapping[TraitName, Trait]) -> None:
    """Raises `TraitsRefused`."""
    for name, trait in traits.items():
        if name.group not in groups or name.name not in groups[name.group].traits:
            raise TraitsRefused("traits: expected only such as the trait groups define")
        refuse_unstorable(name, trait.value)
