"""What two versions of a document say differently, for a person whose form was outdated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Facts = dict[str, tuple[str, ...]]
"""What a document says about each thing that it names."""


class Difference(NamedTuple):
    """`in_force` and `typed` have what only one of both versions says about `what`."""

    what: str
    in_force: tuple[str, ...]
    typed: tuple[str, ...]


def differences(in_force: Mapping[str, Any], typed: Mapping[str, Any]) -> list[Difference]:
    """Return what the typed document says differently, in the order of the one that is in force."""
    here, there = dict(_facts(in_force)), dict(_facts(typed))
    return [
        Difference(what, _missing_in(there, here, what), _missing_in(here, there, what))
        for what in dict.fromkeys((*here, *there))
        if here.get(what) != there.get(what)
    ]


def _missing_in(other: Facts, facts: Facts, what: str) -> tuple[str, ...]:
    known = set(other.get(what, ()))
    return tuple(each for each in facts.get(what, ()) if each not in known)


def _facts(document: Mapping[str, Any], names: Sequence[str] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each fact of a document; nested documents have the names of all that they are in."""
    for name, value in document.items():
        path = (*names, name)
        if isinstance(value, Mapping):
            yield from _facts(value, path)
        else:
            yield " · ".join(path), tuple(map(str, value)) if isinstance(value, list) else (str(value),)
