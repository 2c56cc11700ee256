"""The JSON body that answers with a preview of an import."""

from typing import Annotated, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.imports.dry_runs.file_beginning import FileBeginning, GuessedColumn
from profile_lookup.imports.dry_runs.first_rows import MAX_PREVIEWED, PreviewedRow, RowOutcome
from profile_lookup.web.wire import AnswerModel


class PreviewedColumn(AnswerModel):
    column_name: str = Field(description="The name in the header of the file.")
    trait_group: str | SkipJsonSchema[None] = Field(
        default=None, description="It is absent if nothing says what the column holds."
    )
    trait_name: str | SkipJsonSchema[None] = None
    confidence: float = Field(
        ge=0,
        le=1,
        description="How well the trait fits: the share of the cells that may hold it. It is 0 without a trait.",
    )

    @classmethod
    def of_domain(cls, column: GuessedColumn) -> Self:
        group, name = column.trait or (None, None)
        confidence = round(column.confidence, 2)
        return cls(column_name=column.name, trait_group=group, trait_name=name, confidence=confidence)


class PreviewedImportRow(AnswerModel):
    line: int = Field(ge=1, description="The line in which the row begins.")
    outcome: RowOutcome = Field(description="What an import at this moment would do with the row.")
    cells: list[str] = Field(
        description="The column and the reason of each cell that would be ignored, or why the row would be refused. It "
        "never contains a value."
    )

    @classmethod
    def of_domain(cls, row: PreviewedRow) -> Self:
        return cls(line=row.line, outcome=row.outcome, cells=list(row.remarks))


class ImportPreview(AnswerModel):
    encoding: str = Field(description="The encoding in which the file would be read.")
    delimiter: str = Field(description="The character between two fields.", min_length=1, max_length=1)
    columns: list[PreviewedColumn] = Field(description="In the order of the header, each name once.")
    rows: Annotated[list[PreviewedImportRow], Field(max_length=MAX_PREVIEWED)] = Field(
        description="The first rows. There are none if no column identifies anybody."
    )

    @classmethod
    def of(cls, beginning: FileBeginning, rows: list[PreviewedRow]) -> Self:
        return cls(
            encoding=beginning.layout.text_format.encoding,
            delimiter=beginning.layout.delimiter,
            columns=[PreviewedColumn.of_domain(each) for each in beginning.columns],
            rows=[PreviewedImportRow.of_domain(each) for each in rows],
        )
