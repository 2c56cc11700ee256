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
