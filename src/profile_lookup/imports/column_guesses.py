"""Guesses which trait a column holds, by its name in the header."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT, TraitGroup
from profile_lookup.imports.column_mapping import MappedColumn

_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_GENERIC_ENDING = re.compile("(?<=.)(number|address)$")
_LONGEST = 64  # characters of a column's name
_DIGIT = re.compile("[0-9]")
_MANY = 6  # more likely a value than a name


def complete_mapping(
    groups: Mapping[str, TraitGroup], header: Sequence[str], named: Mapping[str, TraitName | None]
) -> list[MappedColumn]:
    """Return the mapping of a file, in the header's order: the named columns, and a guess for each of the others.

    A column whose trait is named as None is left out. A column that the header has twice is not guessed, and a trait
    that has a column already is not assigned again.
    """
    mapping = dict(named)
    for simplify in (str, _without_separators, _without_generic_ending):
        traits = _traits_by_name(groups, simplify)
        for column in header:
            trait = traits.get(simplify(column))
            if trait and column not in mapping and trait not in mapping.values() and header.count(column) == 1:
                mapping[column] = trait
    ordered = {column: mapping[column] for column in (*header, *named) if column in mapping}
    return [MappedColumn(column, trait) for column, trait in ordered.items() if trait is not None]


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
