"""Guesses which trait a column holds, by its name in the header."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT, TraitGroup
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.columns.column_names import trait_of

_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_GENERIC_ENDING = re.compile("(?<=.)(number|address)$")
_LONGEST = 64  # characters of a column's name
_DIGIT = re.compile("[0-9]")
_MANY = 6  # more likely a value than a name


def complete_mapping(
    groups: Mapping[str, TraitGroup], header: Sequence[str], named: Mapping[str, TraitName | None]
) -> list[MappedColumn]:
    """Return the mapping of a file, in the header's order: the named columns, and a guess for each of the others.

    A column whose trait is named as None is left out. Several columns may hold one trait.
    """
    guesses = _Guesses(groups)
    mapping = {column: named[column] if column in named else guesses.of(column) for column in (*header, *named)}
    return [MappedColumn(column, trait) for column, trait in mapping.items() if trait is not None]


class _Guesses:
    """The traits of a store, by the names that columns may have. A store's own names come before the table's."""

    def __init__(self, groups: Mapping[str, TraitGroup]) -> None:
        self._groups = groups
        self._by_name = [
            (simplify, _traits_by_name(groups, simplify))
            for simplify in (str, _without_separators, _without_generic_ending)
        ]

    def of(self, column: str) -> TraitName | None:
        for simplify, traits in self._by_name:
            if trait := traits.get(simplify(column)):
                return trait
        name, contact = trait_of(column), self._groups.get(CONTACT.name)
        return TraitName(contact.name, name) if name and contact and name in contact.traits else None


def _traits_by_name(groups: Mapping[str, TraitGroup], simplify: Callable[[str], str]) -> dict[str, TraitName]:
    """Return each trait by its simplified name, with and without its group's name.

    Without the group's name, the traits of `Contact` take precedence; a name that several traits share is left out.
    """
    found: dict[str, list[TraitName]] = defaultdict(list)
    for group in groups.values():
        for name in group.traits:
            trait = TraitName(group.name, name)
            found[simplify(str(trait))].append(trait)
            found[simplify(name)].append(trait)
    preferred = {
        name: [trait for trait in traits if trait.group == CONTACT.name] or traits for name, traits in found.items()
    }
    return {name: traits[0] for name, traits in preferred.items() if len(traits) == 1}


def _without_separators(name: str) -> str:
    """Return `email` for `E-mail`, and `firstname` for `First Name` and `first_name`."""
    return _BETWEEN_WORDS.sub("", name).lower()


def _without_generic_ending(name: str) -> str:
    """Return `phone` for `Phone number`, and `email` for `email_address`."""
    return _GENERIC_ENDING.sub("", _without_separators(name))


def looks_like_a_name(column: str) -> bool:
    """Return False for what may be somebody's data, since a file may lack its header."""
    return (
        column.isprintable() and "@" not in column and len(column) <= _LONGEST and len(_DIGIT.findall(column)) < _MANY
    )
