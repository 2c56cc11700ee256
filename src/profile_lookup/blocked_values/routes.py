"""`/v1/ControlPlane/Stores/{storeId}/BlockedValues` and `/v1/ControlPlane/BuiltInBlockedValues`."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from profile_lookup.accounts.dependencies import Manager, Requester
from profile_lookup.blocked_values.changes import put_in_force
from profile_lookup.blocked_values.wire import BlockedValuesBody, BuiltInBlockedValue, BuiltInBlockedValues
from profile_lookup.errors import NotFound, Outdated, RequestRefused
from profile_lookup.identity.values.built_in_blocked_values import BUILT_IN_BLOCKED_VALUES, PLACEHOLDERS
from profile_lookup.operations.dependencies import QuotasOfApp, accepted, accepted_answer
from profile_lookup.operations.quotas import refuse_beyond_queue_quota
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web.body import BodyLimits, ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, IfMatch, Transaction
from profile_lookup.web.etags import etag, refuse_outdated
from profile_lookup.web.openapi import ETAG, answer, error_answers, request_example
from profile_lookup.web.wire import OURS

router = APIRouter(prefix="/v1/ControlPlane", tags=["BlockedValues"], route_class=ContractRoute)

LIMITS = BodyLimits(size=4 << 20)
"""The longest document fits: 2,000 values of 255 characters."""

_ACCEPTED = "Blocked values accepted for processing."
_EXAMPLE: dict[str, Any] = {
    "builtIn": True,
    "values": [{"idType": "email", "value": "office@acme.example"}],
    "patterns": [{"idType": "email", "pattern": "^no-?reply@"}],
    "allowed": [{"idType": "email", "value": "unknown@acme.example"}],
    "maxProfilesPerValue": 50,
}
_BUILT_IN = BuiltInBlockedValues(
    placeholders=sorted(PLACEHOLDERS),
    values=[BuiltInBlockedValue.of_domain(entry) for entry in BUILT_IN_BLOCKED_VALUES],
)


@router.get(
    "/Stores/{storeId}/BlockedValues",
    operation_id="FetchBlockedValues",
    openapi_extra=OURS,
    summary="Fetch a store's blocked values",
    response_model_exclude_none=True,
    responses={
        200: answer("The blocked values in force", _EXAMPLE, ETAG),
        **error_answers(*STORE_ERRORS, has_body=False),
    },
)
async def fetch_blocked_values(store: StoreOfAccount, response: Response) -> BlockedValuesBody:
    """The values that identify nobody in this store, in normalized form **(ours)**.

    A blocked value stays a trait, but no identifier is made of it: it matches nobody, and a Lookup finds nobody by it.
    """
    response.headers["ETag"] = etag(store.blocked_values_version, store.created_at)
    return BlockedValuesBody.of_domain(store.blocked_values)


@router.put(
    "/Stores/{storeId}/BlockedValues",
    operation_id="UpdateBlockedValues",
    summary="Replace a store's blocked values",
    status_code=202,
    responses={
        202: accepted_answer(
            "The blocked values are in force. When the operation has ended, no profile has an identifier that they "
            "block; its `resultUrl` says how many were removed.",
            _ACCEPTED,
        ),
        **error_answers(
            RequestRefused("builtIn: Field required"),
            *STORE_ERRORS,
            Outdated(),
            has_body=True,
            max_body=LIMITS.size,
        ),
    },
    openapi_extra=OURS | request_example(_EXAMPLE),
)
async def update_blocked_values(
    store: StoreOfAccount,
    requester: Requester,
    body: Annotated[BlockedValuesBody, json_body(BlockedValuesBody, LIMITS)],
    transaction: Transaction,
    base_url: BaseUrl,
    quotas: QuotasOfApp,
    response: Response,
    if_match: IfMatch = None,
) -> OperationAccepted:
    """The whole document is replaced; members that are left out are empty **(ours)**.

    The blocked values are in force at once: from then on, nobody is found or merged by one. A worker removes the
    identifiers that are stored and now blocked; profiles and traits stay, and so does the history of merges. What is
    blocked no more is found again after it is written again.
    """
    store = await lock_rules(transaction, store.account_id, store.id)
    refuse_outdated(if_match, etag(store.blocked_values_version, store.created_at))
    await refuse_beyond_queue_quota(transaction, store.account_id, store.id, quotas)
    operation = await put_in_force(transaction, store, body.to_domain(store.settings), requester)
    return accepted(response, base_url, operation, _ACCEPTED)


@router.get(
    "/BuiltInBlockedValues",
    operation_id="ListBuiltInBlockedValues",
    openapi_extra=OURS,
    summary="List the built-in blocked values",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The built-in list, with the reason of each",
            _BUILT_IN.model_dump(by_alias=True, exclude_none=True),
        ),
        **error_answers(RequestRefused("query: expected no parameters"), NotFound(), has_body=False),
    },
)
async def list_built_in_blocked_values(_caller: Manager) -> BuiltInBlockedValues:
    """The placeholders, which every store blocks, and the list that a store's `builtIn` turns on **(ours)**."""
    return _BUILT_IN
