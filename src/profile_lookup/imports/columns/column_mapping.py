"""Which column of a file holds which trait. Several columns may hold one trait."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from profile_lookup.errors import RequestRefused, TraitsRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.trait_definitions import TraitGroup


class MappedColumn(NamedTuple):
    column: str
    trait: TraitName


def refuse_mapping(
    groups: Mapping[str, TraitGroup], settings: IdentityResolutionSettings, mapping: Sequence[MappedColumn]
) -> None:
    """Raise `RequestRefused` or `TraitsRefused` if no row could be read by the mapping."""
    if len({each.column for each in mapping}) < len(mapping):
        raise RequestRefused("columnMappings: expected each columnName once")
    for number, (_, trait) in enumerate(mapping):
        place = f"columnMappings.{number}"
        if trait.group not in groups:
            raise TraitsRefused(f"{place}.traitGroup: no such trait group; expected one of {_joined(groups)}")
        known = groups[trait.group].traits
        if trait.name not in known:
            raise TraitsRefused(f"{place}.traitName: no such trait in {trait.group}; expected one of {_joined(known)}")
    if not identifying_columns(groups, settings, mapping):
        raise TraitsRefused("columnMappings: expected at least one trait that is promoted to an identifier")


def identifying_columns(
    groups: Mapping[str, TraitGroup], settings: IdentityResolutionSettings, mapping: Iterable[MappedColumn]
) -> dict[str, str]:
    """Return the columns whose values are promoted to identifiers, each with its identifier type."""
    promotions = {column: groups[trait.group].traits[trait.name].id_type_promotion for column, trait in mapping}
    return {column: id_type for column, id_type in promotions.items() if id_type in settings.id_types and id_type}


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
