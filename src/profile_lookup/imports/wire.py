"""The JSON bodies of imports."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from profile_lookup.identity.values.phone_numbers import COUNTRIES
from profile_lookup.imports.columns.wire import ColumnMapping
from profile_lookup.imports.files.encodings import codec_name
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.notices.notice import MAX_NOTICES
from profile_lookup.imports.notices.wire import ImportNotice
from profile_lookup.imports.progress import rows_done
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.wire import OperationError
from profile_lookup.web import ids
from profile_lookup.web.wire import MAX_SHORT_PAGE, OURS, AnswerModel, MayBeAbsent, Meta, Storable, WireModel, WireTime

MAX_FILE_SIZE = 100 << 20  # bytes

ImportId = Annotated[str, Field(pattern=ids.IMPORT_ID_PATTERN, examples=[ids.EXAMPLE_IMPORT_ID])]
Filename = Annotated[str, Field(max_length=255, description="The name of the file on your side."), Storable]
FileSize = Annotated[
    int, Field(ge=1, le=MAX_FILE_SIZE, description="In bytes. The upload must have exactly this size.")
]
Status = Literal["PENDING", "PROCESSING", "COMPLETED", "FAILED"]

_STATUS_OF_OPERATION: dict[str, Status] = {
    "PENDING": "PENDING",
    "RUNNING": "PROCESSING",
    "COMPLETED": "COMPLETED",
    "FAILED": "FAILED",
    "CANCELLED": "FAILED",
}


def _limit_properties(schema: dict[str, Any]) -> None:
    """Limit the number of properties, as the contract does, to those that there are."""
    del schema["additionalProperties"]
    schema["maxProperties"] = len(schema["properties"])


def _one_character(text: str) -> str:
    if len(text) != 1 or text in '"\r\n\0':
        raise PydanticCustomError("delimiter", "Input should be one character, but no quote and no line end")
    return text


def _known_encoding(name: str) -> str:
    known = codec_name(name)
    if known is None:
        raise PydanticCustomError("encoding", "Input should be an encoding such as utf-8, cp1252 or utf-16")
    return known


def _known_country(code: str) -> str:
    if code not in COUNTRIES:
        raise PydanticCustomError("country", "Input should be a country by ISO 3166, in two capital letters")
    return code


Delimiter = Annotated[str, Field(min_length=1, max_length=1), AfterValidator(_one_character)]
Encoding = Annotated[str, Field(max_length=32, examples=["cp1252"]), AfterValidator(_known_encoding)]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", examples=["DE"]), AfterValidator(_known_country)]


class ImportRequest(WireModel):
    model_config = ConfigDict(json_schema_extra=_limit_properties)

    filename: Filename
    file_size: FileSize
    column_mappings: list[ColumnMapping] = Field(
        min_length=2, max_length=100, description="States which column is which trait. Other columns are not read."
    )
    delimiter: Annotated[Delimiter | None, MayBeAbsent] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** The character between two fields. Without it, it is the one of `,` `;` `|` and tab by "
        "which the header has most of the columns.",
    )
    encoding: Annotated[Encoding | None, MayBeAbsent] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** The encoding of a file without a byte order mark. Without it, it is UTF-8.",
    )
    country: Annotated[Country | None, MayBeAbsent] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** The country (ISO 3166) of phone numbers that are written without +. They must be valid "
        "there, and are never read as US numbers.",
    )

    dry_run: bool = Field(
        default=False,
        json_schema_extra=OURS,
        description="**(ours)** Whether the rows are only counted and reported, and no profile is to be written.",
    )

    def options(self) -> ImportOptions:
        return ImportOptions(delimiter=self.delimiter, encoding=self.encoding, country=self.country)


class ImportCreated(AnswerModel):
    import_id: ImportId
    url: str = Field(
        max_length=2048, description="PUT the file to this address, once. It is signed and needs no credentials."
    )
    operation_id: str
    created_at: WireTime
    status_url: str


class ImportSummary(AnswerModel):
    errors: int = Field(description="Rows that were refused.")
    warnings: int = Field(description="Empty lines that were skipped.")


class ImportProgress(AnswerModel):
    rows_done: int = Field(description="Rows that were applied or refused. An interrupted import continues after them.")
    rows_total: int | SkipJsonSchema[None] = Field(
        default=None, description="It is present when the file has been checked."
    )
    created: int = Field(description="Rows that created a profile.")
    updated: int = Field(description="Rows that updated a profile.")
    merged: int = Field(description="Rows that merged several profiles.")
    refused: int = Field(description="Rows that were refused.")
    cells_ignored: int = Field(
        description="Cells that do not count, though the rest of their row does: they hold what is no value of their "
        "trait, or what identifies nobody, such as a placeholder."
    )
    evicted: int = Field(description="Identifiers that the `limit` of their type dropped.")


class Import(AnswerModel):
    status: Status
    filename: Filename
    created_at: WireTime
    updated_at: WireTime
    # The size is not checked here, because files that the command imports may be larger.
    file_size: int = Field(
        json_schema_extra={"minimum": 1, "maximum": MAX_FILE_SIZE},
        description="In bytes. Only files that the command imported may be larger than the maximum **(ours)**.",
    )
    column_mappings: list[ColumnMapping]
    dry_run: bool | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** It is present, and true, if no profile was or will be written.",
    )
    summary: ImportSummary
    progress: ImportProgress = Field(description="**(ours)**", json_schema_extra=OURS)
    notices: Annotated[list[ImportNotice], Field(max_length=MAX_NOTICES)] | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** What the import's owner should know. It is present once all rows are done, if there "
        "is anything to say. The notices about most rows come first.",
    )
    refused_rows_url: str | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** The address of the first 100,000 refused rows as CSV, if a row was refused.",
    )
    ignored_cells_url: str | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** The address of the first 100,000 ignored cells as CSV, if a cell was ignored.",
    )
    error: OperationError | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra=OURS,
        description="**(ours)** It is present when the status is FAILED, and equals the `error` of the operation.",
    )

    @classmethod
    def of_row(cls, row: Row[Any], import_url: str, error_pages: str) -> Self:
        return cls(
            status="PENDING" if row.uploaded_at is None and not row.completed_at else _STATUS_OF_OPERATION[row.status],
            filename=row.filename,
            created_at=row.created_at,
            updated_at=max(row.updated_at, row.completed_at or row.updated_at),
            file_size=row.file_size,
            column_mappings=[ColumnMapping.model_validate(each) for each in row.column_mappings],
            dry_run=True if row.kind == OperationKind.DRY_RUN_IMPORT else None,
            summary=ImportSummary(errors=row.refused, warnings=row.empty_lines),
            progress=ImportProgress(
                rows_done=rows_done(row),
                rows_total=row.rows_total,
                created=row.created,
                updated=row.updated,
                merged=row.merged,
                refused=row.refused,
                cells_ignored=row.cells_ignored,
                evicted=row.evicted,
            ),
            notices=[ImportNotice.of_document(each) for each in row.notices] if row.notices else None,
            refused_rows_url=f"{import_url}/RefusedRows" if row.refused else None,
            ignored_cells_url=f"{import_url}/IgnoredCells" if row.cells_ignored else None,
            error=OperationError.of(row.error_code, row.error_detail, error_pages) if row.error_code else None,
        )


class ImportList(AnswerModel):
    imports: list[ImportId] = Field(max_length=MAX_SHORT_PAGE)
    meta: Meta
