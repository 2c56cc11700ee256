"""The kinds of operations. `jobs/job_handlers.py` says which function does the work of each."""

from collections.abc import Collection
from enum import StrEnum

from profile_lookup.accounts.grants import Scope


class OperationKind(StrEnum):
    """The names are stored; those of the second group are done within the request that asks for them."""

    DRY_RUN_IMPORT = "DRY_RUN_IMPORT"
    ERASE_STORE = "ERASE_STORE"
    FORGET_TRAITS = "FORGET_TRAITS"
    IMPORT_PROFILES = "IMPORT_PROFILES"
    PREVIEW_SETTINGS = "PREVIEW_SETTINGS"
    RENORMALIZE_VALUES = "RENORMALIZE_VALUES"
    SPLIT_PROFILE = "SPLIT_PROFILE"
    UNDO_IMPORT = "UNDO_IMPORT"
    UPDATE_BLOCKED_VALUES = "UPDATE_BLOCKED_VALUES"
    UPDATE_PROFILES_BULK = "UPDATE_PROFILES_BULK"
    UPDATE_SETTINGS = "UPDATE_SETTINGS"

    CREATE_STORE = "CREATE_STORE"
    CREATE_TRAIT_GROUP = "CREATE_TRAIT_GROUP"
    UPDATE_STORE = "UPDATE_STORE"
    UPDATE_TRAIT_GROUP = "UPDATE_TRAIT_GROUP"


INDEPENDENT = frozenset(
    {
        OperationKind.DRY_RUN_IMPORT,
        OperationKind.IMPORT_PROFILES,
        OperationKind.RENORMALIZE_VALUES,
        OperationKind.SPLIT_PROFILE,
        OperationKind.UNDO_IMPORT,
        OperationKind.UPDATE_PROFILES_BULK,
    }
)
"""Kinds that wait only for earlier operations of the same kind, and that no other kind waits for: their steps are
ordinary writes, each of which checks the store's rules under the locks, or write nothing."""


def sequence_of(kind: str) -> str:
    """Return the name of the operations of a store that this kind must not overlap: its own, or "" for all others."""
    return kind if kind in INDEPENDENT else ""


_WRITING = frozenset(
    {
        OperationKind.DRY_RUN_IMPORT,
        OperationKind.IMPORT_PROFILES,
        OperationKind.SPLIT_PROFILE,
        OperationKind.UNDO_IMPORT,
        OperationKind.UPDATE_PROFILES_BULK,
    }
)


def kinds_of(scopes: Collection[str]) -> list[OperationKind]:
    """Return the kinds of operations that a caller with these scopes may start, and so may read."""
    return [kind for kind in OperationKind if scope_of(kind) in scopes]


def scope_of(kind: str) -> Scope:
    """Return the scope that whoever starts an operation of this kind needs."""
    return "write" if kind in _WRITING else "manage"
