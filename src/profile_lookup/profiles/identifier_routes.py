"""`/v1/Stores/{storeId}/Profiles/{profileId}/Identifiers`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from profile_lookup.clock import CLOCK
from profile_lookup.errors import (
    IdentifierConflict,
    IdentifierNotFound,
    NothingToRemove,
    NothingToReplace,
    RequestRefused,
    UnknownIdentifierType,
    ValueRefused,
)
from profile_lookup.identity.change import Change
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.values.normalization import MAX_LENGTH
from profile_lookup.ingest.ingest import ingest
from profile_lookup.ingest.removals import Removal, remove_identifiers
from profile_lookup.profiles import queries, wire
from profile_lookup.profiles.dependencies import PROFILE_ERRORS, ProfileOfStore
from profile_lookup.profiles.identifier_changes import addition, replacement
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import DatabaseOfApp, KnownQuery, Snapshot
from profile_lookup.web.identifier_wire import IdentifierBody
from profile_lookup.web.openapi import answer, error_answers, request_example
from profile_lookup.web.redirects import moved_answer
from profile_lookup.web.wire import OURS, MayBeAbsent, Meta

router = APIRouter(
    prefix="/v1/Stores/{storeId}/Profiles/{profileId}/Identifiers", tags=["Identifiers"], route_class=ContractRoute
)

_ADDED = "Identifier accepted for processing."
_CHANGED = "Identifier update accepted."
_REMOVED = "Identifier removal accepted."

_BODY_ERRORS = (
    RequestRefused("idType: Field required"),
    UnknownIdentifierType(DEFAULT_SETTINGS.id_types),
    ValueRefused("expected at most 255 characters"),
    IdentifierConflict("phone"),
)
_SET_EXAMPLE = {"idType": "phone", "values": ["+13175556789"]}

IdTypeInPath = Annotated[
    str,
    Path(
        alias="idType",
        min_length=2,
        max_length=30,
        description="An identifier type of the store.",
        examples=["phone"],
    ),
]

ValueInQuery = Annotated[
    str | None,
    MayBeAbsent,
    Query(
        min_length=1,
        max_length=MAX_LENGTH,
        description="The value to remove. It is normalized by the store's settings. Our logs do not contain it, but "
        "those of a proxy in front of this service may.",
        json_schema_extra=OURS,
        examples=["+13175556789"],
    ),
]

_VALUE_OR_ALL = RequestRefused("query: expected either value or removeAll")


@router.get(
    "",
    operation_id="ListProfileIdentifiers",
    summary="List a profile's identifiers",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The profile's values by type",
            {"identifiers": [_SET_EXAMPLE], "meta": {"key": "identifiers", "pageSize": 1}},
        ),
        **moved_answer(301),
        **error_answers(*PROFILE_ERRORS, has_body=False),
    },
)
async def list_identifiers(addressed: ProfileOfStore, snapshot: Snapshot) -> wire.IdentifierSets:
    """Types are in the order of the store's settings, and values in chronological order.

    All identifiers are on one page. Its `meta` is ours: the Ruby SDK needs it.
    """
    await queries.fetch_profile(snapshot, addressed.store, addressed.id)
    stored = await snapshot.execute(queries.identifiers_of(addressed.store, addressed.id))
    sets = wire.identifier_sets(addressed.store.settings.id_types, stored)
    return wire.IdentifierSets(identifiers=sets, meta=Meta(key="identifiers", page_size=len(sets)))


@router.post(
    "",
    operation_id="CreateProfileIdentifier",
    summary="Add an identifier to a profile",
    status_code=202,
    responses={
        202: answer(
            "The write is done and durable, and a Lookup finds the profile by it from now on.", {"message": _ADDED}
        ),
        **moved_answer(308),
        **error_answers(*_BODY_ERRORS, *PROFILE_ERRORS, has_body=True),
    },
    openapi_extra=request_example({"idType": "phone", "value": "+13175556789"}),
)
async def add_identifier(
    addressed: ProfileOfStore,
    body: Annotated[IdentifierBody, json_body(IdentifierBody)],
    database: DatabaseOfApp,
) -> wire.Accepted:
    """If another profile has this value of a unique type, the two are one person, and merge into the earliest.

    A value that the profile already has changes nothing. Values of a type that is not unique are shared.
    """

    def read(store: StoreRules) -> Change:
        return addition(store, body.to_domain())

    await ingest(database, addressed.store, read, CLOCK.now(), addressed.id, addressed.actor)
    return wire.Accepted(message=_ADDED)


@router.get(
    "/{idType}",
    operation_id="FetchProfileIdentifier",
    summary="Fetch a profile's values of an identifier type",
    responses={
        200: answer("The values", _SET_EXAMPLE),
        **moved_answer(301),
        **error_answers(
            RequestRefused("idType: String should have at least 2 characters"),
            *PROFILE_ERRORS,
            IdentifierNotFound(),
            has_body=False,
        ),
    },
)
async def fetch_identifiers(addressed: ProfileOfStore, id_type: IdTypeInPath, snapshot: Snapshot) -> wire.IdentifierSet:
    """The values are in chronological order. If there is none, the answer is 404."""
    await queries.fetch_profile(snapshot, addressed.store, addressed.id)
    stored = await snapshot.execute(queries.identifiers_of(addressed.store, addressed.id))
    for found in wire.identifier_sets(addressed.store.settings.id_types, stored):
        if found.id_type == id_type:
            return found
    raise IdentifierNotFound


@router.patch(
    "/{idType}",
    operation_id="PatchProfileIdentifier",
    summary="Replace a value of a profile's identifiers",
    status_code=202,
    responses={
        202: answer("The write is done and durable.", {"message": _CHANGED}),
        **moved_answer(308),
        **error_answers(*_BODY_ERRORS, *PROFILE_ERRORS, NothingToReplace(), has_body=True),
    },
    openapi_extra=request_example({"idType": "phone", "oldValue": "+13175556789", "newValue": "+13175556798"}),
)
async def patch_identifier(
    addressed: ProfileOfStore,
    body: Annotated[wire.IdentifierUpdate, json_body(wire.IdentifierUpdate)],
    id_type: IdTypeInPath,
    database: DatabaseOfApp,
) -> wire.Accepted:
    """The new value counts as added now. If another profile has it, that has the same effect as when it is added.

    A repeated request, after which the profile has the new value and not the old one, is answered like the first.
    """
    if body.id_type != id_type:
        raise RequestRefused("idType: expected the same in path and body")

    def read(store: StoreRules) -> Change:
        return replacement(store, id_type, body.old_value, body.new_value)

    await ingest(database, addressed.store, read, CLOCK.now(), addressed.id, addressed.actor)
    return wire.Accepted(message=_CHANGED)


@router.delete(
    "/{idType}",
    operation_id="DeleteProfileIdentifier",
    summary="Remove values of a profile's identifiers",
    status_code=202,
    responses={
        202: answer("The write is done and durable.", {"message": _REMOVED}),
        **moved_answer(308),
        **error_answers(
            RequestRefused("removeAll: Input should be a valid boolean"),
            RequestRefused("query: expected only removeAll, value"),
            _VALUE_OR_ALL,
            ValueRefused("expected at most 255 characters"),
            *PROFILE_ERRORS,
            NothingToRemove(),
            has_body=False,
        ),
    },
)
async def delete_identifiers(
    addressed: ProfileOfStore,
    id_type: IdTypeInPath,
    database: DatabaseOfApp,
    _known_query: KnownQuery,
    remove_all: Annotated[
        bool, Query(alias="removeAll", description="Whether to remove all values of the type instead of one.")
    ] = False,
    value: ValueInQuery = None,
) -> wire.Accepted:
    """With `value`, exactly that value is removed **(ours)**; if the profile does not have it, the answer is 404.

    Without it, one value is removed, according to the type's `limitPolicy`: with `fifo` the oldest, with `lifo` the
    newest. Query parameters that this operation does not know are refused **(ours)**, because a misspelt one would
    remove another value than was meant.
    """
    if remove_all and value is not None:
        raise _VALUE_OR_ALL
    removal = Removal(id_type, value, remove_all)
    await remove_identifiers(database, addressed.store, addressed.id, removal, CLOCK.now(), addressed.actor)
    return wire.Accepted(message=_REMOVED)
