"""The labels of identifier types."""

from profile_lookup.identity.rules import DEFAULT_SETTINGS

OTHER = "other"
"""The label of types that a store has defined: there is no limit on how many there are."""

_BUILT_IN = frozenset(DEFAULT_SETTINGS.id_types)


def id_type_label(id_type: str) -> str:
    return id_type if id_type in _BUILT_IN else OTHER
