"""The format of a seed, and the JSON bodies of `/testing/…`."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.errors import RequestRefused
from profile_lookup.identity_settings.wire import IdentityResolutionSettingsBody
from profile_lookup.ingest.wire import Traits
from profile_lookup.stores.wire import Description, DisplayName, StoreId
from profile_lookup.trait_groups.queries import MAX_GROUPS
from profile_lookup.trait_groups.wire import TraitGroupRequest
from profile_lookup.web import ids
from profile_lookup.web.identifier_wire import ProfileId
from profile_lookup.web.wire import AnswerModel, MayBeAbsent, WireModel, WireTime, mistakes_in


def _parsed_store_id(sent: object) -> object:
    return _parsed(sent, ids.STORE_ID_PATTERN, "store")


def _parsed_profile_id(sent: object) -> object:
    return _parsed(sent, ids.PROFILE_ID_PATTERN, "profile")


def _parsed(sent: object, pattern: str, kind: Literal["store", "profile"]) -> object:
    parsed = ids.parsed(pattern, sent) if isinstance(sent, str) else None
    if parsed is None:
        raise PydanticCustomError("id", "Input should be the ID of a {kind}: mem_{kind}_ and 26 characters of base32",
                                  {"kind": kind})  # fmt: skip
    return parsed


SeedStoreId = Annotated[
    UUID,
    BeforeValidator(_parsed_store_id),
    WithJsonSchema({"type": "string", "pattern": ids.STORE_ID_PATTERN, "examples": [ids.EXAMPLE_STORE_ID]}),
]
SeedProfileId = Annotated[
    UUID,
    BeforeValidator(_parsed_profile_id),
    WithJsonSchema({"type": "string", "pattern": ids.PROFILE_ID_PATTERN, "examples": [ids.EXAMPLE_PROFILE_ID]}),
]


class ProfileSeed(WireModel):
    id: Annotated[SeedProfileId | None, MayBeAbsent] = Field(default=None, description="Without it, a new one is made.")
    traits: Traits


class MergeSeed(WireModel):
    traits: Traits = Field(description="Traits that identify two or more of the profiles, which merge by it.")


class StoreSeed(WireModel):
    id: Annotated[SeedStoreId | None, MayBeAbsent] = Field(default=None, description="Without it, a new one is made.")
    display_name: DisplayName
    description: Annotated[Description | None, MayBeAbsent] = None
    identity_resolution_settings: Annotated[IdentityResolutionSettingsBody | None, MayBeAbsent] = Field(
        default=None, description="Without them, the store has those of a new store."
    )
    blocked_values: Annotated[BlockedValuesBody | None, MayBeAbsent] = Field(
        default=None, description="Without them, only placeholders identify nobody, and `builtIn` is false."
    )
    trait_groups: list[TraitGroupRequest] = Field(
        default=[], max_length=MAX_GROUPS, description="Those besides `Contact`; one called so adds traits to it."
    )
    profiles: list[ProfileSeed] = Field(default=[], description="Each becomes a profile of its own.")
    merges: list[MergeSeed] = Field(default=[], description="Written after all profiles, in this order.")

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        given = [each.id for each in self.profiles if each.id is not None]
        _refuse_repetition("profiles", "id", given)
        _refuse_repetition("traitGroups", "displayName", [each.display_name for each in self.trait_groups])
        return self


class Seed(WireModel):
    stores: list[StoreSeed] = Field(max_length=1000)

    @classmethod
    def of(cls, parsed: object) -> Self:
        """Return the seed. Raises `RequestRefused`, which says at which place what was expected."""
        try:
            return cls.model_validate(parsed)
        except ValidationError as error:
            raise RequestRefused(mistakes_in(error, "seed")) from None

    @model_validator(mode="after")
    def _has_each_once(self) -> Self:
        _refuse_repetition("stores", "id", [each.id for each in self.stores if each.id is not None])
        _refuse_repetition("stores", "displayName", [each.display_name for each in self.stores])
        return self


def _refuse_repetition(items: str, member: str, given: list[Any]) -> None:
    if len(set(given)) < len(given):
        raise PydanticCustomError("repetition", "{items}: expected each {member} once",
                                  {"items": items, "member": member})  # fmt: skip


class SeededStore(AnswerModel):
    id: StoreId
    profiles: list[ProfileId] = Field(description="The IDs of the seed's profiles, in its order.")

    @classmethod
    def of(cls, store_id: UUID, profile_ids: Iterable[UUID]) -> Self:
        return cls(id=ids.store_id(store_id), profiles=[ids.profile_id(each) for each in profile_ids])


class SeededStores(AnswerModel):
    stores: list[SeededStore]


class Fault(WireModel):
    method: Annotated[Annotated[str, Field(pattern="^[A-Z]+$")] | None, MayBeAbsent] = Field(
        default=None, description="Without it, the fault is for all methods.", examples=["POST"]
    )
    path: Annotated[Annotated[str, Field(pattern="^/")] | None, MayBeAbsent] = Field(
        default=None,
        description="A path as it is in this document, or exactly that of a request, without its query. Without it, "
        "the fault is for all paths.",
        examples=["/v1/Stores/{storeId}/Profiles/Lookup"],
    )
    status: Annotated[Annotated[int, Field(ge=400, le=599)] | None, MayBeAbsent] = Field(
        default=None, description="Without it, the request is served, after the delay.", examples=[429]
    )
    times: int = Field(default=1, ge=1, le=1_000_000, description="How many requests it affects.")
    retry_after: Annotated[Annotated[int, Field(ge=0)] | None, MayBeAbsent] = Field(
        default=None, description="The seconds in `Retry-After`; for 429 and 503, 1 is the default."
    )
    delay_seconds: float = Field(default=0, ge=0, le=600, description="How long the answer waits.")
    drop_connection: bool = Field(default=False, description="Whether the connection ends without an answer.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.status is None and not self.delay_seconds and not self.drop_connection:
            raise PydanticCustomError("nothing", "Expected status, delaySeconds or dropConnection")
        if self.status is not None and self.drop_connection:
            raise PydanticCustomError("contradiction", "Expected either status or dropConnection")
        return self


class PendingFault(AnswerModel):
    id: str = Field(description="By which the fault can be deleted.", examples=["1"])
    fault: Fault
    remaining: int = Field(description="How many more requests it affects.")


class PendingFaults(AnswerModel):
    faults: list[PendingFault]


class RecordedRequest(AnswerModel):
    method: str
    path: str = Field(description="As it was sent, without its query.")
    path_template: str | SkipJsonSchema[None] = Field(
        default=None, description="The path in this document; absent if the request was for none of it."
    )
    sid: str | SkipJsonSchema[None] = Field(
        default=None, description="The user name of its credentials, whether or not they were accepted."
    )
    status: int | SkipJsonSchema[None] = Field(
        default=None, description="Absent while the request is under way, and if its connection was dropped."
    )
    body: str | SkipJsonSchema[None] = Field(
        default=None, description="What was read of it: all, unless the request was refused before."
    )
    is_body_cut: bool = Field(default=False, description="Whether the body was longer than what is kept of it.")


class RecordedRequests(AnswerModel):
    requests: list[RecordedRequest] = Field(description="The last ones, oldest first.")


class ClockAnswer(AnswerModel):
    now: WireTime


class ClockChange(WireModel):
    now: Annotated[Annotated[AwareDatetime, Field(strict=False)] | None, MayBeAbsent] = Field(
        default=None, description="With its zone."
    )
    advance_seconds: Annotated[Annotated[float, Field(ge=-3e9, le=3e9)] | None, MayBeAbsent] = Field(
        default=None, description="Negative: back."
    )

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.now is None) == (self.advance_seconds is None):
            raise PydanticCustomError("one", "Expected either now or advanceSeconds")
        return self
