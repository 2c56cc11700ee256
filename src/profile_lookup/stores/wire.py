"""The JSON bodies of stores."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from profile_lookup.stores.display_name import DISPLAY_NAME_PATTERN, MAX_DISPLAY_NAME
from profile_lookup.web import ids
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, Meta, Storable, WireModel, WireTime

DisplayName = Annotated[
    str,
    Field(
        pattern=DISPLAY_NAME_PATTERN,
        max_length=MAX_DISPLAY_NAME,
        description="Unique within the account.",
        examples=["customers"],
    ),
]
Description = Annotated[str, Field(min_length=1, max_length=128, examples=["All of them"]), Storable]
StoreId = Annotated[str, Field(pattern=ids.STORE_ID_PATTERN, examples=[ids.EXAMPLE_STORE_ID])]


class StoreRequest(WireModel):
    # The contract allows other members, so those of a newer client are not an error.
    model_config = ConfigDict(extra="ignore")

    display_name: DisplayName
    description: Annotated[Description | None, MayBeAbsent] = None


class StorePatch(WireModel):
    model_config = ConfigDict(extra="ignore", json_schema_extra={"minProperties": 1})

    display_name: Annotated[DisplayName | None, MayBeAbsent] = None
    description: Annotated[Description | None, MayBeAbsent] = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "Expected displayName or description")
        return self


class StoreAnswer(AnswerModel):
    display_name: str
    description: str | SkipJsonSchema[None] = None
    id: StoreId
    status: Literal["QUEUED", "PROVISIONING", "ACTIVE", "FAILED"]
    intelligence_service_id: str | None = Field(description="Always null, because there is no such service here.")
    version: int = Field(ge=1, description="Counts the changes of the name and description.")
    data_as_of: WireTime | SkipJsonSchema[None] = Field(
        default=None,
        description="Everything that was sent before is in the store. It is the present, or the start of the oldest "
        "unfinished batch, or import whose file has arrived.",
    )

    @classmethod
    def of_row(cls, row: Row[Any], data_as_of: datetime) -> Self:
        described = {} if row.description is None else {"description": row.description}
        return cls(
            display_name=row.display_name,
            id=ids.store_id(row.id),
            status=row.status,
            intelligence_service_id=None,
            version=row.version,
            data_as_of=data_as_of,
            **described,
        )


class StoreList(AnswerModel):
    stores: list[StoreId] = Field(max_length=100)
    meta: Meta
