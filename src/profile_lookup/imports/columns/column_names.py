"""Reads the name that a column has in the export of another program: `Person - Phone - Work` is a phone number.

Each word of a name must be in the tables of `column_words`. So a guess may be missing, but is never another trait.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from profile_lookup.imports.columns import column_words

_NUMBERED = frozenset({"email", "phone", "whatsapp"})
"""Traits of which a person has several in an export, with a number in the column's name."""

_WORD = re.compile(r"[^\W\d_]+|\d+")
_NEW_WORD = re.compile("(?<=[a-z])(?=[A-Z])")
_POSSESSIVE = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]s\\b")
_LETTERS = str.maketrans("ıłø", "ilo")  # no accents can be removed from these
_LONGEST_NAME = 64  # characters, as in the contract; whoever sends a file chooses the names, so this bounds the time
_LONGEST = 4  # words of a name that are one word of the tables
_SHORT = 2  # letters of words that are in no compound: `domain` consists of none


def trait_of(column: str) -> str | None:
    """Return the trait of `Contact` that a column with this name holds, or None if the name does not say it."""
    if trait := column_words.WHOLE_NAMES.get(simplified(column)):
        return trait
    words = list(_known_words(column))
    traits = {_TRAITS[word] for word in words if word in _TRAITS}
    if traits == {"phone", "whatsapp"}:
        traits = {"whatsapp"}
    if len(traits) != 1:
        return None
    (trait,) = traits
    return trait if _may_stand_beside(trait, words) else None


def is_left_out(column: str) -> bool:
    """Return whether columns with this name are left out on purpose, whatever they hold."""
    words = set(_known_words(column))
    return not words.isdisjoint(_OTHERS) or (not words.isdisjoint(_THINGS) and words.isdisjoint(_TRAITS))


def simplified(name: str) -> str:
    """Return the name in lower case, without accents, white space and punctuation: `Straße 1` becomes `strasse1`."""
    return "".join(_words(name))


def _may_stand_beside(trait: str, words: Sequence[str]) -> bool:
    """Return whether none of the other words makes it another trait, or that of somebody else."""
    if trait not in _NUMBERED:
        return all(word in _HOMES or word in _TRAITS for word in words)
    first = next(place for place, word in enumerate(words) if word in _TRAITS)
    others = [word for place, word in enumerate(words) if place > first or word not in _PEOPLE]
    return all(word in _OWN_ADDRESSES or word in _TRAITS or word.isdecimal() for word in others)


def _known_words(column: str) -> Iterator[str]:
    """Yield the words of a name as the tables have them: several words may be one there, and one may be two.

    A name that is too long has none.
    """
    words = _words(column) if len(column) <= _LONGEST_NAME else []
    while words:
        joined = next((size for size in range(_LONGEST, 0, -1) if "".join(words[:size]) in _KNOWN), 0)
        yield from ("".join(words[:joined]),) if joined else _parts(words[0])
        words = words[joined or 1 :]


def _parts(word: str) -> tuple[str, ...]:
    """Return the two words of a compound one of which names a trait, such as HOMEPHONE, or the word itself."""
    for end in range(1, len(word)):
        parts = word[:end], word[end:]
        if _COMPOUNDED.issuperset(parts) and not _TRAITS.keys().isdisjoint(parts):
            return parts
    return (word,)


def _words(name: str) -> list[str]:
    spaced = _NEW_WORD.sub(" ", _POSSESSIVE.sub("", name))
    decomposed = unicodedata.normalize("NFKD", spaced.casefold())
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return _WORD.findall(letters.translate(_LETTERS))


def _table(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(simplified, words))


_TRAITS = {simplified(word): trait for trait, words in column_words.TRAITS.items() for word in words}
_OWN_ADDRESSES = _table(column_words.OWN_ADDRESSES)
_PEOPLE = _table(column_words.PEOPLE)
_HOMES = _table(column_words.HOMES)
_OTHERS = _table(column_words.OTHERS)
_THINGS = _table(column_words.THINGS)
_KNOWN = _TRAITS.keys() | _OWN_ADDRESSES | _PEOPLE | _HOMES | _OTHERS | _THINGS
_COMPOUNDED = frozenset(word for word in _KNOWN if len(word) > _SHORT or not word.isascii())
