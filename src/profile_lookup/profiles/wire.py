"""The JSON bodies of profiles, their traits and their identifiers."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import Row

from profile_lookup.identity.values.normalization import MAX_LENGTH
from profile_lookup.ingest.wire import ProfileData, Traits
from profile_lookup.web import ids
from profile_lookup.web.identifier_wire import IdType, ProfileId, Value
from profile_lookup.web.wire import MAX_SHORT_PAGE, AnswerModel, Meta, WireModel, WireTime

MAX_BATCH = 1000  # profiles


class IdentifierUpdate(WireModel):
    id_type: IdType
    old_value: Value
    new_value: Value


class ProfileBatch(WireModel):
    model_config = ConfigDict(json_schema_extra={"maxProperties": 1})

    profiles: list[ProfileData] = Field(min_length=1, max_length=MAX_BATCH)


class BatchAccepted(AnswerModel):
    message: str = Field(max_length=255)
    operation_id: str = Field(max_length=512)
    created_at: WireTime
    status_url: str = Field(max_length=512, description="The address that shows the progress of the operation.")


class Accepted(AnswerModel):
    message: str = Field(max_length=512)


class ProfileAnswer(AnswerModel):
    id: ProfileId
    created_at: WireTime
    traits: Traits


def traits_by_group(rows: Iterable[Row[Any]]) -> dict[str, dict[str, Any]]:
    """Return the values of traits by group and name, in the order of the rows."""
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        groups.setdefault(row.group_name, {})[row.name] = row.value
    return groups


class ProfileList(AnswerModel):
    profiles: list[ProfileId] = Field(max_length=1000)
    meta: Meta


class TraitAnswer(AnswerModel):
    name: str
    value: Any
    trait_group: str
    timestamp: WireTime
    source: str | SkipJsonSchema[None] = Field(
        default=None, description="What wrote the trait. It is never sent, since no request says it."
    )

    @classmethod
    def of_row(cls, row: Row[Any]) -> Self:
        return cls(name=row.name, value=row.value, trait_group=row.group_name, timestamp=row.written_at)


class TraitList(AnswerModel):
    traits: list[TraitAnswer] = Field(max_length=MAX_SHORT_PAGE)
    meta: Meta


class IdentifierSet(AnswerModel):
    id_type: IdType
    values: list[Annotated[str, Field(max_length=MAX_LENGTH)]] = Field(
        max_length=100, description="Normalized values in chronological order."
    )


def identifier_sets(id_types: Iterable[str], rows: Iterable[Row[Any]]) -> list[IdentifierSet]:
    """Return the values of identifiers by type: the types in this order, and others after them."""
    values: dict[str, list[str]] = {id_type: [] for id_type in id_types}
    for row in rows:
        values.setdefault(row.id_type, []).append(row.value)
    return [IdentifierSet(id_type=id_type, values=found) for id_type, found in values.items() if found]


class IdentifierSets(AnswerModel):
    identifiers: list[IdentifierSet] = Field(max_length=50)
    meta: Meta


class SharedIdentifier(AnswerModel):
    id_type: IdType
    value: Annotated[str, Field(max_length=MAX_LENGTH)]


class Suspect(AnswerModel):
    profile_id: ProfileId
    reason: Literal["manyIdentifiers", "sharedValue", "namesDisagree"]
    count: int = Field(ge=2, description="How many names or identifiers there are, according to the reason.")
    by: SharedIdentifier | SkipJsonSchema[None] = Field(default=None, description="The value of a `sharedValue`.")

    @classmethod
    def of_row(cls, row: Row[Any], value: str | None) -> Self:
        by = None if value is None else SharedIdentifier(id_type=row.id_type, value=value)
        return cls(profile_id=ids.profile_id(row.profile_id), reason=row.reason, count=row.severity, by=by)


class SuspectList(AnswerModel):
    suspects: list[Suspect] = Field(max_length=1000)
    meta: Meta
