"""Operations in words: what each is, how far it is, and what is shown of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self
from uuid import UUID

from sqlalchemy import Row

from profile_lookup.imports.progress import rows_done
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.result_routes import Results
from profile_lookup.operations.wire import ItemResults, PreviewedResults, SplitProfileResults, UndoneResults
from profile_lookup.web import ids

IMPORTS = (OperationKind.IMPORT_PROFILES, OperationKind.DRY_RUN_IMPORT)

TITLES: Mapping[str, str] = {
    OperationKind.DRY_RUN_IMPORT: "Dry run of an import",
    OperationKind.ERASE_STORE: "Erasure of a store",
    OperationKind.FORGET_TRAITS: "Removal of traits",
    OperationKind.IMPORT_PROFILES: "Import",
    OperationKind.PREVIEW_SETTINGS: "Preview of rules",
    OperationKind.RENORMALIZE_VALUES: "Renormalization of values",
    OperationKind.SPLIT_PROFILE: "Split of a person",
    OperationKind.UNDO_IMPORT: "Undo of an import",
    OperationKind.UPDATE_BLOCKED_VALUES: "Change of blocked values",
    OperationKind.UPDATE_PROFILES_BULK: "Batch of people",
    OperationKind.UPDATE_SETTINGS: "Change of rules",
    OperationKind.CREATE_STORE: "New store",
    OperationKind.CREATE_TRAIT_GROUP: "New trait group",
    OperationKind.UPDATE_STORE: "Change of a store",
    OperationKind.UPDATE_TRAIT_GROUP: "Change of a trait group",
}


class Described(NamedTuple):
    """An operation's row with its title, its store, and how far it is; empty if nothing is counted."""

    row: Row[Any]
    title: str
    store_id: str
    progress: str

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        dry_run = " (dry run)" if row.kind == OperationKind.UNDO_IMPORT and row.input.get("is_dry_run") else ""
        store_id = "" if row.store_id is None else ids.store_id(row.store_id)
        return cls(row, f"{TITLES.get(row.kind, row.kind)}{dry_run}", store_id, _progress(row))


def _progress(operation: Row[Any]) -> str:
    """Return what is counted while an operation is done."""
    progress: Mapping[str, Any] = operation.progress
    match operation.kind:
        case OperationKind.IMPORT_PROFILES | OperationKind.DRY_RUN_IMPORT:
            return _counted(progress.get("rows_done"), "row")
        case OperationKind.UPDATE_PROFILES_BULK:
            return _counted(progress.get("done"), "person", "people")
        case OperationKind.UPDATE_BLOCKED_VALUES:
            return _counted(progress.get("removed"), "identifier removed", "identifiers removed")
        case OperationKind.RENORMALIZE_VALUES:
            return _counted(progress.get("changed"), "value changed", "values changed")
        case OperationKind.PREVIEW_SETTINGS | OperationKind.UNDO_IMPORT:
            return _counted(progress.get("results"), "result")
    return ""


def _counted(count: int | None, one: str, several: str = "") -> str:
    return "" if count is None else f"{count:,} {one if count == 1 else several or f'{one}s'}"


class ImportRows(NamedTuple):
    """How many rows of an import are done and were refused, and of how many; None until the file was checked."""

    done: int
    refused: int
    total: int | None

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        return cls(rows_done(row), row.refused, row.rows_total)


def import_of(operation: Row[Any]) -> str | None:
    """Return the ID of the import that the operation does or undoes; None if it is about something else."""
    if operation.kind in IMPORTS:
        return ids.import_id(operation.id)
    return str(operation.input["import_id"]) if operation.kind == OperationKind.UNDO_IMPORT else None


def shown_profiles(results: Results) -> list[UUID]:
    """Return the profiles that a page of results names."""
    match results:
        case ItemResults(results=items):
            named = [item.profile_id for item in items if item.profile_id]
        case SplitProfileResults(results=parts):
            named = [part.id for part in parts]
        case PreviewedResults(results=found) | UndoneResults(results=found):
            named = [profile_id for each in found for profile_id in each.profiles]
        case _:
            named = []
    return [uuid for uuid in map(ids.decoded, named) if uuid is not None]
