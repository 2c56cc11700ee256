"""The strings under which an earlier version may have stored what a client names today.

They are looked for only in stores that may hold such values: those whose values were made by another normalization
version, and those with values that today's rules would refuse.
"""

import re
from collections.abc import Iterator

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.rules import IdentityResolutionSettings
from profile_lookup.identity.values.normalization import (
    MAX_LENGTH,
    Normalization,
    NormalizedValue,
    is_storable,
    normalize,
)
from profile_lookup.identity.values.renumbering import RENUMBERINGS
from profile_lookup.identity.values.renumbering import Change as RenumberingChange


def named_identifiers(settings: IdentityResolutionSettings, sent: Identifier) -> list[NormalizedIdentifier]:
    """Return what may be stored of an identifier: as it is normalized today, if it is not refused, then earlier forms.

    A stored value is always found by the string that it is stored as, whatever today's rules say of it. Raises
    `UnknownIdentifierType`, or `ValueRefused` if nothing of that kind can be stored.
    """
    kind = settings.config(sent.id_type).normalization
    try:
        today: list[NormalizedValue] = [normalize(kind, sent.value)]
    except ValueRefused:
        if not _can_be_stored(sent.value):
            raise
        today = []
    values = dict.fromkeys([*today, *former_values(kind, sent.value)])
    return [NormalizedIdentifier(sent.id_type, value) for value in values]


def former_values(kind: Normalization, sent: str) -> list[NormalizedValue]:
    """Return the other strings that may be stored for a value: itself, and its forms by earlier rules.

    A form by earlier rules is one that today's rules read as the same value.
    """
    try:
        today = normalize(kind, sent)
    except ValueRefused:
        return [NormalizedValue(sent)] if _can_be_stored(sent) else []
    former = [NormalizedValue(sent)] if _can_be_stored(sent) and sent != today else []
    for candidate in _candidates(kind, sent, today):
        if candidate not in (today, *former) and _is_read_as(kind, candidate, today):
            former.append(NormalizedValue(candidate))
    return former


def _can_be_stored(value: str) -> bool:
    return 0 < len(value) <= MAX_LENGTH and is_storable(value)


def _candidates(kind: Normalization, sent: str, today: str) -> Iterator[str]:
    if kind == "email":  # revision 1 of our rules: all white space removed, lower-cased
        yield "".join(sent.split()).lower()
    elif kind == "trim":
        yield sent.strip()
    elif kind == "phone":
        for new, old in _OLD_FORMS:
            if match := new.fullmatch(today):
                yield old.format(*match.groups())


def _is_read_as(kind: Normalization, candidate: str, today: str) -> bool:
    try:
        return _can_be_stored(candidate) and normalize(kind, candidate) == today
    except ValueRefused:
        return False


def _old_form(change: RenumberingChange) -> tuple[re.Pattern[str], str]:
    """Return the pattern of a change's new numbers, and the form of its old ones, with {} for each group."""
    form, groups, depth = "", [""], 0
    for character in change.old.replace(r"\+", "+"):
        depth += character == "("
        if depth:
            groups[-1] += character
        else:
            form += character
        depth -= character == ")"
        if character == ")" and not depth:
            form += "{}"
            groups.append("")
    literals = map(re.escape, change.new.split("{}"))
    return re.compile("".join(literal + group for literal, group in zip(literals, groups, strict=True))), form


_OLD_FORMS = [_old_form(change) for renumbering in RENUMBERINGS for change in renumbering.changes]
