"""Which trait a column most likely is: its name in the header says so."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT, TraitGroup
from profile_lookup.imports.column_mapping import MappedColumn

_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_SAYS_NOTHING = re.compile("(?<=.)(number|address)$")
_LONGEST = 64  # characters of a name
_DIGIT = re.compile("[0-9]")
_MANY = 6  # digits


def complete(
    groups: Mapping[str, TraitGroup], header: Sequence[str], named: Mapping[str, TraitName | None]
) -> list[MappedColumn]:
    """The mapping of a file, in the header's order: what is named, and what the other columns seem to be.

    A column whose trait is named as None is left out. What the header has twice is not guessed, nor a trait that has
    a column already.
    """
    mapping = dict(named)
    for likened in (str, _plain, _plainest):
        traits = _by_name(groups, likened)
        for column in header:
            trait = traits.get(likened(column))
            if trait and column not in mapping and trait not in mapping.values() and header.count(column) == 1:
                mapping[column] = trait
    in_order = {column: mapping[column] for column in (*header, *named) if column in mapping}
    return [MappedColumn(column, trait) for column, trait in in_order.items() if trait is not None]


def _by_name(groups: Mapping[str, TraitGroup], likened: Callable[[str], str]) -> dict[str, TraitName]:
    """With the group's name or without; without it, `Contact` comes first, and of other groups there is no guess."""
    alike: dict[str, list[TraitName]] = defaultdict(list)
    for group in groups.values():
        for name in group.traits:
            trait = TraitName(group.name, name)
            alike[likened(str(trait))].append(trait)
            alike[likened(name)].append(trait)
    preferred = {
        name: [trait for trait in traits if trait.group == CONTACT.name] or traits for name, traits in alike.items()
    }
    return {name: traits[0] for name, traits in preferred.items() if len(traits) == 1}


def _plain(name: str) -> str:
    """Of `E-mail`, `First Name`, `first_name`."""
    return _BETWEEN_WORDS.sub("", name).lower()


def _plainest(name: str) -> str:
    """Of `Phone number`, `email_address`."""
    return _SAYS_NOTHING.sub("", _plain(name))


def looks_like_a_name(column: str) -> bool:
    """Else there may be no header at all, and it is somebody's data that stands in its place."""
    return (
        column.isprintable() and "@" not in column and len(column) <= _LONGEST and len(_DIGIT.findall(column)) < _MANY
    )
