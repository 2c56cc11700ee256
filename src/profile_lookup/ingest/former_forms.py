"""Earlier forms of the values that a request carries, under which they may be stored."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from profile_lookup.errors import NothingToReplace
from profile_lookup.identity.change import Change
from profile_lookup.identity.former_values import former_values, named_identifiers
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.identity.profile import Profile
from profile_lookup.stores.rules_cache import StoreRules

Former = Mapping[NormalizedIdentifier, NormalizedIdentifier]
"""Earlier forms of identifiers, each with the form that today's normalization gives it."""


def with_stored_replaced(
    store: StoreRules, candidates: Sequence[Profile], change: Change, known: UUID | None, former: Former
) -> Change:
    """Return the change with the identifier that it replaces as the known profile holds it.

    If the profile holds only the new identifier, the request is a repeated one, and its change replaces nothing.
    Raises `NothingToReplace` if it holds neither of them, today's forms and earlier ones alike.
    """
    if change.replaced is None:
        return change
    (profile,) = [profile for profile in candidates if profile.id == known]
    if change.replaced in profile.identifiers:
        return change
    if store.may_hold_former_values and change.replaced in change.sent:
        sent = Identifier(change.replaced.id_type, change.sent[change.replaced])
        for identifier in named_identifiers(store.settings, sent):
            if identifier in profile.identifiers:
                return replace(change, replaced=identifier)
    if any(identifier in profile.identifiers for identifier in (*change.incoming, *former)):
        return replace(change, replaced=None)
    raise NothingToReplace


def former_forms(store: StoreRules, change: Change) -> Former:
    """Return the earlier forms in which the identifiers of the change may be stored; mostly there are none."""
    if not store.may_hold_former_values:
        return {}
    return {
        NormalizedIdentifier(today.id_type, value): today
        for today in change.incoming
        for value in former_values(
            store.settings.config(today.id_type).normalization, change.sent.get(today, today.value)
        )
    }
