"""`/v1/Stores/{storeId}/Profiles`."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.clock import CLOCK
from profile_lookup.errors import (
    IdentifierConflict,
    PageTokenRefused,
    RequestRefused,
    TraitsRefused,
    TraitValueRefused,
)
from profile_lookup.identity.change import Change
from profile_lookup.identity.traits import read_trait_changes
from profile_lookup.ingest.ingest import ingest
from profile_lookup.ingest.removals import erase_profile
from profile_lookup.ingest.wire import ProfileData
from profile_lookup.profiles import queries, wire
from profile_lookup.profiles.dependencies import PROFILE_ERRORS, ProfileOfStore
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import DatabaseOfApp, Snapshot
from profile_lookup.web.etags import profile_etag
from profile_lookup.web.openapi import CANONICAL_PROFILE_ID, ETAG, answer, error_answers, header, request_example
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp, ShortPage, fetch_page
from profile_lookup.web.redirects import moved_answer

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles", route_class=ContractRoute)

_CHANGED = "Trait modifications accepted for processing."
_ERASED = "Profile accepted for deletion."

_TOO_MANY_GROUPS = RequestRefused("traitGroups: String should have at most 256 characters")

TraitGroupsInQuery = Annotated[
    str | SkipJsonSchema[None],
    Query(
        alias="traitGroups",
        min_length=1,
        max_length=256,
        description="The trait groups whose traits are returned, separated by commas. Names of groups that the store "
        "does not have are skipped. The default is all groups.",
        examples=["Contact"],
    ),
]


@router.get(
    "",
    operation_id="ListProfiles",
    tags=["Profile"],
    summary="List a store's profiles",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The IDs of the canonical profiles",
            {
                "profiles": [ids.EXAMPLE_PROFILE_ID],
                "meta": {"key": "profiles", "pageSize": 1},
            },
        ),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 1000"),
            PageTokenRefused(),
            *STORE_ERRORS,
            has_body=False,
        ),
    },
)
async def list_profiles(
    store: StoreOfAccount, page: DataPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> wire.ProfileList:
    """The newest profile comes first, unless `orderBy` says otherwise.

    Pages stay consistent while profiles are created and deleted.
    """
    query = queries.profiles_of(store)
    found = await fetch_page(snapshot, query, queries.PROFILES_KEY, page, tokens, "profiles", str(store.id))
    return wire.ProfileList(profiles=[ids.profile_id(row.id) for row in found.rows], meta=found.meta)


@router.get(
    "/{profileId}",
    operation_id="FetchProfile",
    tags=["Profile"],
    summary="Fetch a profile with its traits",
    responses={
        200: answer(
            "The profile",
            {
                "id": ids.EXAMPLE_PROFILE_ID,
                "createdAt": "2026-01-15T10:15:30Z",
                "traits": {"Contact": {"firstName": "Alyssa", "phone": "+13175551234"}},
            },
            {CANONICAL_PROFILE_ID: header("string", "The ID of the profile.", pattern=ids.PROFILE_ID_PATTERN), **ETAG},
        ),
        **moved_answer(301),
        **error_answers(_TOO_MANY_GROUPS, *PROFILE_ERRORS, has_body=False),
    },
)
async def fetch_profile(
    addressed: ProfileOfStore, snapshot: Snapshot, response: Response, trait_groups: TraitGroupsInQuery = None
) -> wire.ProfileAnswer:
    """The profile's identifiers are listed at `…/Identifiers`.

    The `ETag` **(ours)** changes whenever a trait of the profile does, even if `traitGroups` leaves its group out, and
    whenever its identifiers do.
    """
    profile = await queries.fetch_profile(snapshot, addressed.store, addressed.id)
    query = queries.traits_of(addressed.store, addressed.id, None).order_by(*queries.NAMES)
    traits = wire.traits_by_group(await snapshot.execute(query))
    identifiers = [tuple(row) for row in await snapshot.execute(queries.identifiers_of(addressed.store, addressed.id))]
    groups = _named_groups(addressed.store, trait_groups)
    response.headers[CANONICAL_PROFILE_ID] = ids.profile_id(profile.id)
    response.headers["ETag"] = profile_etag(profile.id, traits, identifiers)
    return wire.ProfileAnswer(
        id=ids.profile_id(profile.id),
        created_at=profile.created_at,
        traits={name: each for name, each in traits.items() if groups is None or name in groups},
    )


@router.patch(
    "/{profileId}",
    operation_id="PatchProfileTraits",
    tags=["Profile"],
    summary="Change a profile's traits",
    status_code=202,
    responses={
        202: answer("The write is done and durable.", {"message": _CHANGED}),
        **moved_answer(308),
        **error_answers(
            RequestRefused("traits: Input should be a valid dictionary"),
            TraitsRefused("traits.Billing: no such trait group in this store"),
            TraitValueRefused("Contact.phone", "expected at most 255 characters"),
            IdentifierConflict("phone"),
            *PROFILE_ERRORS,
            has_body=True,
        ),
    },
    openapi_extra=request_example({"traits": {"Contact": {"city": "Indianapolis"}}}),
)
async def patch_profile(
    addressed: ProfileOfStore, body: Annotated[ProfileData, json_body(ProfileData)], database: DatabaseOfApp
) -> wire.Accepted:
    """Traits that are left out stay as they are. Null removes a trait, but not the identifier that it was promoted to.

    A promoted trait adds an identifier. If that shows that another profile is the same person, the profiles merge.
    """

    def read(store: StoreRules) -> Change:
        traits = read_trait_changes(store.trait_groups, body.traits or {})
        return Change.of_traits(store.trait_groups, store.settings, traits, store.blocked_values)

    await ingest(database, addressed.store, read, CLOCK.now(), addressed.id, addressed.actor)
    return wire.Accepted(message=_CHANGED)


@router.delete(
    "/{profileId}",
    operation_id="DeleteProfile",
    tags=["Profile"],
    summary="Erase a profile",
    status_code=202,
    responses={
        202: answer("The profile is erased, and nothing of it is left.", {"message": _ERASED}),
        **moved_answer(308),
        **error_answers(*PROFILE_ERRORS, has_body=False),
    },
)
async def delete_profile(addressed: ProfileOfStore, database: DatabaseOfApp) -> wire.Accepted:
    """It is erased with its identifiers, traits, merged IDs and merge history. After that, none of its IDs is found."""
    await erase_profile(database, addressed.store, addressed.id, CLOCK.now(), addressed.actor)
    return wire.Accepted(message=_ERASED)


@router.get(
    "/{profileId}/Traits",
    operation_id="ListProfileTraits",
    tags=["Traits"],
    summary="List a profile's traits",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The traits, each with the time of its last change",
            {
                "traits": [
                    {
                        "name": "city",
                        "value": "Indianapolis",
                        "traitGroup": "Contact",
                        "timestamp": "2026-01-15T10:15:30Z",
                    }
                ],
                "meta": {"key": "traits", "pageSize": 1},
            },
        ),
        **moved_answer(301),
        **error_answers(
            _TOO_MANY_GROUPS,
            PageTokenRefused(),
            *PROFILE_ERRORS,
            has_body=False,
        ),
    },
)
async def list_profile_traits(
    addressed: ProfileOfStore,
    page: ShortPage,
    tokens: PageTokensOfApp,
    snapshot: Snapshot,
    trait_groups: TraitGroupsInQuery = None,
) -> wire.TraitList:
    """The most recently written trait comes first, unless `orderBy` says otherwise."""
    store = addressed.store
    groups = _named_groups(store, trait_groups)
    await queries.fetch_profile(snapshot, store, addressed.id)
    scope = ("traits", str(store.id), str(addressed.id), ",".join(groups or ()))
    query = queries.traits_of(store, addressed.id, groups)
    found = await fetch_page(snapshot, query, queries.TRAITS_KEY, page, tokens, *scope)
    return wire.TraitList(traits=[wire.TraitAnswer.of_row(row) for row in found.rows], meta=found.meta)


def _named_groups(store: StoreRules, names: str | None) -> list[str] | None:
    """Return those of the named groups that the store has; None means all groups, because none was named.

    A client may name groups that only some stores have, so names that are unknown or empty are skipped.
    """
    if names is None:
        return None
    return sorted({name.strip() for name in names.split(",")} & store.trait_groups.keys())
