"""Checks of identifiers and traits that are brought into a store unchanged, as by a restore.

A store with these rules must be able to hold them. Limits and validation rules are not checked: they count from the
next write on.
"""

from collections.abc import Mapping

from profile_lookup.errors import TraitsRefused, ValueRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import Trait, TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup
from profile_lookup.identity.traits import refuse_unstorable
from profile_lookup.identity.values.normalization import MAX_LENGTH, is_storable


def refuse_unlike_normalized(settings: IdentityResolutionSettings, identifier: NormalizedIdentifier) -> None:
    """Refuse a value that normalization would change. Raises `UnknownIdentifierType` or `ValueRefused`."""
    if settings.normalize(Identifier(identifier.id_type, identifier.value)) != identifier:
        raise ValueRefused("expected it as the normalization of its type returns it")


def refuse_never_normalized(settings: IdentityResolutionSettings, identifier: NormalizedIdentifier) -> None:
    """Refuse a value that no version of the rules can have made. Raises `UnknownIdentifierType` or `ValueRefused`."""
    settings.config(identifier.id_type)
    if not 0 < len(identifier.value) <= MAX_LENGTH or not is_storable(identifier.value):
        raise ValueRefused(f"expected 1-{MAX_LENGTH} characters, without NUL or lone surrogates")


def refuse_unlike_defined(groups: Mapping[str, TraitGroup], traits: Mapping[TraitName, Trait]) -> None:
    """Refuse traits that are not defined, or that no definition allows. Raises `TraitsRefused`."""
    for name, trait in traits.items():
        if name.group not in groups or name.name not in groups[name.group].traits:
            raise TraitsRefused("traits: expected only traits that the trait groups define")
        refuse_unstorable(name, trait.value)
