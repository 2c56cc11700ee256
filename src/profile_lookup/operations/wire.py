"""The JSON bodies of operations."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Row

from profile_lookup.identity.history import import_undo as undone
from profile_lookup.identity.settings_changes.settings_preview import Outcome
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.previews import MAX_PROFILES
from profile_lookup.web import ids
from profile_lookup.web.contract import more_info, title_of
from profile_lookup.web.urls import operation_url, results_url
from profile_lookup.web.wire import AnswerModel, Error, Meta, WireTime

RETRY_AFTER = 1
"""Seconds that a client should wait before it fetches an operation again."""


Status = Literal["PENDING", "RUNNING", "CANCELLED", "COMPLETED", "FAILED"]


class OperationResult(AnswerModel):
    type: Literal["RESOURCE_ID"]
    id: str = Field(max_length=128)


class OperationError(AnswerModel):
    type: str = Field(json_schema_extra={"format": "uri"}, description="The address of a page that explains the code.")
    title: str = Field(max_length=128)
    code: int = Field(description="The same code as in an error answer.")
    detail: str = Field(max_length=1024, description="A text for people that says what was expected.")

    @classmethod
    def of(cls, code: int, detail: str, error_pages: str) -> Self:
        return cls(type=more_info(code, error_pages), title=title_of(code), code=code, detail=detail)


class Operation(AnswerModel):
    operation_id: str = Field(max_length=512)
    status: Status
    created_at: WireTime
    completed_at: WireTime | SkipJsonSchema[None] = None
    status_url: str | SkipJsonSchema[None] = Field(default=None, json_schema_extra={"format": "uri"})
    result: OperationResult | SkipJsonSchema[None] = Field(
        default=None, description="It is present when the status is COMPLETED."
    )
    result_url: str | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra={"format": "uri"},
        description="The address of the results, if the operation has any **(ours)**.",
    )
    error: OperationError | SkipJsonSchema[None] = Field(
        default=None, description="It is present when the status is FAILED."
    )

    @classmethod
    def of_row(cls, row: Row[Any], base_url: str, error_pages: str) -> Self:
        operation_id = ids.operation_id(row.id)
        return cls(
            operation_id=operation_id,
            status=row.status,
            created_at=row.created_at,
            completed_at=row.completed_at,
            status_url=operation_url(base_url, operation_id),
            result=OperationResult(type="RESOURCE_ID", id=row.result_id) if row.result_id else None,
            result_url=results_url(base_url, operation_id) if _has_results(row) else None,
            error=OperationError.of(row.error_code, row.error_detail, error_pages) if row.error_code else None,
        )


class OperationList(AnswerModel):
    operations: list[Operation] = Field(max_length=100)
    meta: Meta


class ItemResult(AnswerModel):
    index: int = Field(ge=0, description="The position of the item in the request, from 0 on.")
    status: Literal["created", "updated", "merged", "failed"]
    profile_id: Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN)] | SkipJsonSchema[None] = Field(
        default=None, description="The canonical profile when the item was done. It is absent if the item failed."
    )
    error: Error | SkipJsonSchema[None] = Field(
        default=None,
        description="The error of a failed item. If it was refused, the code is 520010.",
    )

    @classmethod
    def of_row(cls, row: Row[Any], error_pages: str) -> Self:
        error = None if row.error_code is None else Error.of_code(row.error_code, row.error_detail, error_pages)
        return cls(
            index=row.position,
            status=row.outcome,
            profile_id=None if row.profile_id is None else ids.profile_id(row.profile_id),
            error=error,
        )


class ItemResults(AnswerModel):
    results: list[ItemResult] = Field(max_length=1000)
    meta: Meta


class PreviewedIdentifier(AnswerModel):
    id_type: str
    value: str | SkipJsonSchema[None] = Field(
        default=None, description="It is absent if no profile has the value any more."
    )


class PreviewedResult(AnswerModel):
    outcome: Outcome = Field(
        description="`merge`: these profiles would be one person. `refused`: the PUT would fail. `removed`: these "
        "profiles would lose the value."
    )
    profiles: list[Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN)]] = Field(
        max_length=MAX_PROFILES, description="The first of the profiles; of a merge, the canonical one is the first."
    )
    profile_count: int | SkipJsonSchema[None] = Field(
        default=None, description="How many profiles there are, if `profiles` does not name all."
    )
    by: PreviewedIdentifier = Field(
        description="The value that is the reason. It has the form that it would get, if it would get one."
    )
    reason: str | SkipJsonSchema[None] = Field(default=None, description="Why it is refused or removed.")

    @classmethod
    def of_row(cls, row: Row[Any], value: str | None) -> Self:
        return cls(
            outcome=row.outcome,
            profiles=[ids.profile_id(each) for each in row.profile_ids],
            profile_count=row.profile_count if row.profile_count > len(row.profile_ids) else None,
            by=PreviewedIdentifier(id_type=row.id_type, value=value),
            reason=row.reason,
        )


class PreviewedResults(AnswerModel):
    results: list[PreviewedResult] = Field(max_length=1000)
    meta: Meta


class UndoneResult(AnswerModel):
    outcome: undone.Outcome = Field(
        description="`erased`: the import made these profiles. `split`: a row of it had joined these profiles. "
        "`restored`: the profile is what it was. `left`: the profile stays, for this reason."
    )
    profiles: list[Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN)]] = Field(min_length=1)
    reason: str | SkipJsonSchema[None] = Field(
        default=None, description="Why the profiles are not just what they were before the import."
    )

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        return cls(outcome=row.outcome, profiles=[ids.profile_id(each) for each in row.profile_ids], reason=row.reason)


class UndoneResults(AnswerModel):
    results: list[UndoneResult] = Field(max_length=1000)
    meta: Meta


class CountedIdentifiers(AnswerModel):
    id_type: str = Field(examples=["phone"])
    count: int = Field(ge=1, examples=[2])


class SplitProfileResult(AnswerModel):
    """A profile that a split leaves. It has no values, since results are kept longer than a value that is removed."""

    id: Annotated[str, Field(pattern=ids.PROFILE_ID_PATTERN)]
    is_new: bool = Field(description="Whether no profile had this ID before: a request became a profile of its own.")
    identifiers: list[CountedIdentifiers] = Field(description="How many identifiers of each type it has.")

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        counts = sorted(row.identifier_counts.items())
        return cls(
            id=ids.profile_id(row.profile_id),
            is_new=row.is_new,
            identifiers=[CountedIdentifiers(id_type=id_type, count=count) for id_type, count in counts],
        )


class SplitProfileResults(AnswerModel):
    results: list[SplitProfileResult] = Field(max_length=1000)
    meta: Meta


class RemovedIdentifiers(AnswerModel):
    removed: int = Field(ge=0, description="How many identifiers were removed from profiles so far.")


class RenormalizedValues(AnswerModel):
    changed: int = Field(ge=0, description="How many stored values got a new form so far.")
    merged: int = Field(ge=0, description="How many of them merged profiles that hold the same value by now.")
    kept: int = Field(
        ge=0,
        description="How many values stay as they are, since today's rules refuse them, or since another profile holds "
        "the new form and may neither share it nor merge.",
    )


Counts = RemovedIdentifiers | RenormalizedValues


def counts_of(operation: Row[Any]) -> Counts | None:
    """Return the result of an operation whose result is counts so far, or None if it is no such operation."""
    progress = operation.progress
    match operation.kind:
        case OperationKind.UPDATE_BLOCKED_VALUES:
            return RemovedIdentifiers(removed=progress.get("removed", 0))
        case OperationKind.RENORMALIZE_VALUES:
            return RenormalizedValues(
                changed=progress.get("changed", 0), merged=progress.get("merged", 0), kept=progress.get("kept", 0)
            )
    return None


_WITH_RESULTS = frozenset({OperationKind.PREVIEW_SETTINGS, OperationKind.SPLIT_PROFILE, OperationKind.UNDO_IMPORT})


def _has_results(operation: Row[Any]) -> bool:
    has_counts = counts_of(operation) is not None
    return operation.has_items or has_counts or operation.kind in _WITH_RESULTS


class OperationAccepted(AnswerModel):
    message: str = Field(max_length=512)
    status_url: str = Field(max_length=512, description="The address that shows the progress of the operation.")
