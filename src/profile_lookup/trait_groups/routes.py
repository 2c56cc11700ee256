"""`/v1/ControlPlane/Stores/{storeId}/TraitGroups`."""

from typing import Annotated

from fastapi import APIRouter, Response

from profile_lookup.accounts.dependencies import Requester
from profile_lookup.errors import (
    DefinitionProtected,
    DefinitionRefused,
    Outdated,
    PageTokenRefused,
    RequestRefused,
    StillBeingRemoved,
    TraitGroupLimitReached,
    TraitGroupNameTaken,
    TraitGroupNotFound,
    TraitLimitReached,
)
from profile_lookup.identity.trait_definitions import MAX_TRAITS
from profile_lookup.operations.dependencies import QuotasOfApp, accepted, accepted_answer
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.trait_groups import changes, queries, wire
from profile_lookup.trait_groups.dependencies import TraitGroupName, include_traits
from profile_lookup.trait_groups.queries import MAX_GROUPS
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, IfMatch, Transaction
from profile_lookup.web.etags import etag
from profile_lookup.web.openapi import ETAG, answer, error_answers, request_example
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, fetch_page
from profile_lookup.web.wire import Meta

router = APIRouter(
    prefix="/v1/ControlPlane/Stores/{storeId}/TraitGroups", tags=["TraitGroup"], route_class=ContractRoute
)

_CREATED = "TraitGroup creation request accepted."
_CHANGED = "TraitGroup update request accepted."
_REMOVED = "TraitGroup deletion request accepted."

_TRAITS_EXAMPLE = {
    "plan": {"dataType": "STRING", "validationRule": {"ruleType": "STRING", "pattern": "^(free|paid)$"}},
    "customerNumber": {"dataType": "STRING", "idTypePromotion": "chat"},
}
_EXAMPLE = {"displayName": "Billing", "description": "What they pay", "traits": _TRAITS_EXAMPLE, "version": 1}


@router.get(
    "",
    operation_id="ListTraitGroups",
    summary="List a store's trait groups",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The trait groups",
            {
                "traitGroups": [{"displayName": "Contact", "version": 1}],
                "meta": {"key": "traitGroups", "pageSize": 1},
            },
        ),
        **error_answers(
            RequestRefused("orderBy: Input should be 'ASC' or 'DESC'"),
            PageTokenRefused(),
            *STORE_ERRORS,
            has_body=False,
        ),
    },
)
async def list_trait_groups(
    store: StoreOfAccount,
    page: ControlPlanePage,
    tokens: PageTokensOfApp,
    transaction: Transaction,
    with_traits: Annotated[bool, include_traits(default=False)],
) -> wire.TraitGroupList:
    """The newest trait group comes first, unless `orderBy` says otherwise."""
    found = await fetch_page(
        transaction, queries.groups_of(store), queries.KEY, page, tokens, "traitGroups", str(store.id)
    )
    groups = [wire.TraitGroupAnswer.of_row(row, with_traits=with_traits) for row in found.rows]
    return wire.TraitGroupList(trait_groups=groups, meta=found.meta)


@router.post(
    "",
    operation_id="CreateTraitGroup",
    summary="Create a trait group",
    status_code=202,
    responses={
        202: accepted_answer("The trait group is created; the operation's result is its name.", _CREATED),
        **error_answers(
            RequestRefused("displayName: Field required"),
            DefinitionRefused("validationRule.pattern: expected a regular expression of RE2's syntax"),
            TraitGroupLimitReached(MAX_GROUPS),
            TraitLimitReached(MAX_TRAITS),
            *STORE_ERRORS,
            TraitGroupNameTaken(),
            StillBeingRemoved(),
            has_body=True,
        ),
    },
    openapi_extra=request_example({name: value for name, value in _EXAMPLE.items() if name != "version"}),
)
async def create_trait_group(
    store: StoreOfAccount,
    requester: Requester,
    body: Annotated[wire.TraitGroupRequest, json_body(wire.TraitGroupRequest)],
    transaction: Transaction,
    base_url: BaseUrl,
    response: Response,
) -> OperationAccepted:
    """Profiles may have the traits of the new group from now on.

    The values of a trait with `idTypePromotion` become identifiers of that type, which the store must know.
    """
    operation = await changes.create(transaction, store, body.to_domain(), body.description, requester)
    return accepted(response, base_url, operation, _CREATED)


@router.get(
    "/{traitGroupName}",
    operation_id="FetchTraitGroup",
    summary="Fetch a trait group",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The trait group",
            {"traitGroup": _EXAMPLE, "meta": {"key": "traitGroup", "pageSize": 1}},
            ETAG,
        ),
        **error_answers(
            RequestRefused("includeTraits: Input should be a valid boolean"),
            PageTokenRefused(),
            *STORE_ERRORS,
            TraitGroupNotFound(),
            has_body=False,
        ),
    },
)
async def fetch_trait_group(
    store: StoreOfAccount,
    name: TraitGroupName,
    page: ControlPlanePage,
    transaction: Transaction,
    response: Response,
    with_traits: Annotated[bool, include_traits(default=True)],
) -> wire.FetchTraitGroupAnswer:
    """The answer contains the traits' definitions, unless `includeTraits` is false.

    It is one page with one trait group, whatever `pageSize` and `orderBy` say, so no `pageToken` leads to another page.
    """
    if page.token is not None:
        raise PageTokenRefused
    row = await queries.fetch(transaction, store, name)
    response.headers["ETag"] = etag(row.version, row.created_at)
    group = wire.TraitGroupAnswer.of_row(row, with_traits=with_traits)
    return wire.FetchTraitGroupAnswer(trait_group=group, meta=Meta(key="traitGroup", page_size=1))


@router.patch(
    "/{traitGroupName}",
    operation_id="PatchTraitGroup",
    summary="Change a trait group",
    status_code=202,
    responses={
        202: accepted_answer(
            "The trait group is changed; when the operation has ended, the values of removed traits are erased.",
            _CHANGED,
        ),
        **error_answers(
            RequestRefused("body: Expected description or traits"),
            DefinitionRefused("validationRule: expected minLength to be at most maxLength"),
            DefinitionProtected("Contact.email"),
            TraitLimitReached(MAX_TRAITS),
            *STORE_ERRORS,
            TraitGroupNotFound(),
            StillBeingRemoved(),
            Outdated(),
            has_body=True,
        ),
    },
    openapi_extra=request_example({"traits": {"plan": {"dataType": ""}, "tariff": {"dataType": "STRING"}}}),
)
async def patch_trait_group(
    store: StoreOfAccount,
    requester: Requester,
    body: Annotated[wire.TraitGroupPatch, json_body(wire.TraitGroupPatch)],
    name: TraitGroupName,
    transaction: Transaction,
    base_url: BaseUrl,
    quotas: QuotasOfApp,
    response: Response,
    if_match: IfMatch = None,
) -> OperationAccepted:
    """The traits in the request are replaced or added; one with the `dataType` `""` is removed. All others stay.

    From now on, profiles have no value of a removed trait; a worker then erases the stored values. Other changes apply
    from the next write on.
    """
    operation = await changes.amend(
        transaction, store, name, body.changes(), body.description, if_match, requester, quotas
    )
    return accepted(response, base_url, operation, _CHANGED)


@router.delete(
    "/{traitGroupName}",
    operation_id="DeleteTraitGroup",
    summary="Delete a trait group",
    status_code=202,
    responses={
        202: accepted_answer(
            "The trait group is deleted; when the operation has ended, its values are erased.", _REMOVED
        ),
        **error_answers(
            RequestRefused("traitGroupName: String should have at most 64 characters"),
            DefinitionProtected("Contact"),
            *STORE_ERRORS,
            TraitGroupNotFound(),
            StillBeingRemoved(),  # the contract has a 409 here; this service never sends it
            has_body=False,
        ),
    },
)
async def delete_trait_group(
    store: StoreOfAccount,
    requester: Requester,
    name: TraitGroupName,
    transaction: Transaction,
    base_url: BaseUrl,
    quotas: QuotasOfApp,
    response: Response,
) -> OperationAccepted:
    """From now on, profiles have no value of the group's traits; a worker then erases the stored values.

    Identifiers that its traits were promoted to stay, because they did identify somebody. `Contact` is protected.
    """
    operation = await changes.remove(transaction, store, name, requester, quotas)
    return accepted(response, base_url, operation, _REMOVED)
