"""What requests ask to change about the identifiers of a profile."""

from profile_lookup.identity.change import Change
from profile_lookup.identity.former_values import named_identifiers
from profile_lookup.identity.identifier import Identifier
from profile_lookup.stores.rules_cache import StoreRules


def addition(store: StoreRules, sent: Identifier) -> Change:
    """Return the change that adds an identifier. Raises `UnknownIdentifierType` or `ValueRefused`."""
    added = store.blocked_values.refuse_blocked(store.settings, sent)
    return Change((added,), sent={added: sent.value})


def replacement(store: StoreRules, id_type: str, old_value: str, new_value: str) -> Change:
    """Return the change that replaces a value of a type. Raises `UnknownIdentifierType` or `ValueRefused`."""
    sent = Identifier(id_type, old_value)
    if store.may_hold_former_values:  # the value may be one that today's rules refuse
        old, *_ = named_identifiers(store.settings, sent)
    else:
        old = store.settings.normalize(sent)
    new = store.blocked_values.refuse_blocked(store.settings, Identifier(id_type, new_value))
    return Change((new,), replaced=old, sent={new: new_value, old: old_value})
