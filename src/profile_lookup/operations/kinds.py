"""The kinds of operations. `jobs/job_handlers.py` says which function does the work of each."""

from enum import StrEnum


class OperationKind(StrEnum):
    """The names are stored; those of the second group are done within the request that asks for them."""

    ERASE_STORE = "ERASE_STORE"
    FORGET_TRAITS = "FORGET_TRAITS"
    IMPORT_PROFILES = "IMPORT_PROFILES"
    RENORMALIZE_VALUES = "RENORMALIZE_VALUES"
    UPDATE_BLOCKED_VALUES = "UPDATE_BLOCKED_VALUES"
    UPDATE_PROFILES_BULK = "UPDATE_PROFILES_BULK"
    UPDATE_SETTINGS = "UPDATE_SETTINGS"

    CREATE_STORE = "CREATE_STORE"
    CREATE_TRAIT_GROUP = "CREATE_TRAIT_GROUP"
    UPDATE_STORE = "UPDATE_STORE"
    UPDATE_TRAIT_GROUP = "UPDATE_TRAIT_GROUP"


INDEPENDENT = frozenset(
    {OperationKind.UPDATE_PROFILES_BULK, OperationKind.IMPORT_PROFILES, OperationKind.RENORMALIZE_VALUES}
)
"""Kinds that wait only for earlier operations of the same kind, and that no other kind waits for: their steps are
ordinary writes, each of which checks the store's rules under the locks."""


def sequence_of(kind: str) -> str:
    """Return the name of the operations of a store that this kind must not overlap: its own, or "" for all others."""
    return kind if kind in INDEPENDENT else ""
