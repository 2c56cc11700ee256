"""The JSON body of a notice."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.imports.columns.wire import Name
from profile_lookup.imports.notices.notice import MAX_FIRST_LINES, Notice, NoticeKind
from profile_lookup.web.identifier_wire import IdType
from profile_lookup.web.wire import AnswerModel


class ImportNotice(AnswerModel):
    kind: NoticeKind = Field(
        description="`sharedValue`: one value of this type stood in very many rows, under 50 or more names, or as a "
        "placeholder such as `n/a`. `evicted`: in these rows, people got more values of this type than its `limit`, so "
        "that others were dropped. `unlikelyColumn`: most of the first 1,000 rows hold in this column what does not "
        "fit the trait that it is mapped to. A notice never contains a value."
    )
    id_type: IdType = Field(
        description="Of an `unlikelyColumn`, the type whose values it should hold, but does not, or holds although it "
        "is mapped to another trait."
    )
    column_name: Name | SkipJsonSchema[None] = Field(default=None, description="The name of an `unlikelyColumn`.")
    rows: int = Field(ge=1, description="The number of rows that the notice is about.")
    first_lines: list[int] = Field(max_length=MAX_FIRST_LINES, description="The lines of the first of these rows.")

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        notice = Notice.of_document(document)
        return cls(
            kind=notice.kind,
            id_type=notice.id_type,
            column_name=notice.column,
            rows=notice.rows,
            first_lines=notice.first_lines,
        )
