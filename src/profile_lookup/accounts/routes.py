"""`/v1/ControlPlane/Keys` and `/v1/ControlPlane/AuthToken`."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response

from profile_lookup.accounts import key_changes, keys
from profile_lookup.accounts.administration import MAX_OVERLAP, rotate_token
from profile_lookup.accounts.credentials import Credentials, digest, new_secret
from profile_lookup.accounts.dependencies import AddressedKey, LockedCaller, Manager, VerifiedCaller
from profile_lookup.accounts.key_changes import UNKNOWN_STORE
from profile_lookup.accounts.wire import (
    KeyAnswer,
    KeyList,
    KeyPatch,
    KeyRequest,
    NewKey,
    NewToken,
    RotationRequest,
)
from profile_lookup.errors import (
    AccountTokenNeeded,
    GrantExceeded,
    KeyNotFound,
    KeySidMalformed,
    Outdated,
    PageTokenRefused,
    RequestRefused,
)
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import IfMatch, Transaction
from profile_lookup.web.etags import etag
from profile_lookup.web.openapi import ETAG, answer, error_answers, request_example
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, fetch_page
from profile_lookup.web.wire import OURS

router = APIRouter(prefix="/v1/ControlPlane", tags=["Access"], route_class=ContractRoute)

_EXAMPLE: dict[str, Any] = {
    "sid": ids.EXAMPLE_KEY_SID,
    "name": "call centre",
    "scopes": ["lookup", "read"],
    "storeIds": [ids.EXAMPLE_STORE_ID],
    "rateLimit": {"perSecond": 50, "burst": 100},
    "expiresAt": "2027-01-15T10:15:30Z",
    "createdAt": "2026-01-15T10:15:30Z",
}
_EXAMPLE_REQUEST = {name: value for name, value in _EXAMPLE.items() if name not in ("sid", "createdAt")}


@router.post(
    "/Keys",
    operation_id="CreateKey",
    summary="Create an API key (ours)",
    status_code=201,
    response_model_exclude_none=True,
    responses={
        201: answer("The key, with its secret", _EXAMPLE | {"secret": "a secret of 43 letters and digits"}),
        **error_answers(
            RequestRefused("scopes: Field required"),
            UNKNOWN_STORE,
            AccountTokenNeeded(),
            GrantExceeded(),
            has_body=True,
        ),
    },
    openapi_extra=OURS | request_example(_EXAMPLE_REQUEST),
)
async def create_key(
    _manager: Manager,
    body: Annotated[KeyRequest, json_body(KeyRequest)],
    caller: LockedCaller,
    transaction: Transaction,
) -> NewKey:
    """The answer is the only one that has the secret **(ours)**.

    With an API key, you can only create keys that may do no more than it, in no other stores, and for no longer, and
    you must name the stores.
    """
    return await key_changes.make_key(transaction, caller, body)


@router.get(
    "/Keys",
    operation_id="ListKeys",
    openapi_extra=OURS,
    summary="List the account's API keys (ours)",
    response_model_exclude_none=True,
    responses={
        200: answer("The keys, without secrets", {"keys": [_EXAMPLE], "meta": {"key": "keys", "pageSize": 1}}),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 100"), PageTokenRefused(), has_body=False
        ),
    },
)
async def list_keys(
    caller: Manager, page: ControlPlanePage, tokens: PageTokensOfApp, transaction: Transaction
) -> KeyList:
    """The newest key comes first, unless `orderBy` says otherwise **(ours)**.

    With an API key, you see only the keys that may do no more than it.
    """
    query = keys.keys_of(caller.account_id, caller.grant)
    found = await fetch_page(transaction, query, keys.KEYS_KEY, page, tokens, "keys", str(caller.account_id))
    return KeyList(keys=[KeyAnswer.of_row(row) for row in found.rows], meta=found.meta)


@router.get(
    "/Keys/{keySid}",
    operation_id="FetchKey",
    openapi_extra=OURS,
    summary="Fetch an API key (ours)",
    response_model_exclude_none=True,
    responses={
        200: answer("The key, without its secret", _EXAMPLE, ETAG),
        **error_answers(KeySidMalformed(), KeyNotFound(), has_body=False),
    },
)
async def fetch_key(key: AddressedKey, response: Response) -> KeyAnswer:
    """With an API key, only a key that may do no more than it is found **(ours)**."""
    response.headers["ETag"] = etag(key.version, key.created_at)
    return KeyAnswer.of_row(key)


@router.patch(
    "/Keys/{keySid}",
    operation_id="PatchKey",
    summary="Change what an API key may do (ours)",
    response_model_exclude_none=True,
    responses={
        200: answer("The key after the change", _EXAMPLE, ETAG),
        **error_answers(
            RequestRefused("scopes: List should name each scope once"),
            KeySidMalformed(),
            UNKNOWN_STORE,
            AccountTokenNeeded(),
            GrantExceeded(),
            KeyNotFound(),
            Outdated(),
            has_body=True,
        ),
    },
    openapi_extra=OURS | request_example({"scopes": ["lookup"], "expiresAt": None}),
)
async def patch_key(
    key: AddressedKey,
    body: Annotated[KeyPatch, json_body(KeyPatch)],
    caller: LockedCaller,
    transaction: Transaction,
    response: Response,
    if_match: IfMatch = None,
) -> KeyAnswer:
    """The change counts from the next request on **(ours)**.

    Members that are left out stay as they are. Null removes `storeIds`, `rateLimit` or `expiresAt`. The limits are the
    same as for new keys.
    """
    changed = await key_changes.patch_key(transaction, caller, key.sid, body, if_match)
    response.headers["ETag"] = etag(changed.version, changed.created_at)
    return KeyAnswer.of_row(changed)


@router.delete(
    "/Keys/{keySid}",
    operation_id="DeleteKey",
    openapi_extra=OURS,
    summary="Revoke an API key (ours)",
    status_code=204,
    response_class=Response,
    responses={
        204: {"description": "The key is refused from now on."},
        **error_answers(KeySidMalformed(), KeyNotFound(), has_body=False),
    },
)
async def delete_key(key: AddressedKey, transaction: Transaction) -> None:
    """It counts from the next request on, in all processes **(ours)**."""
    await keys.remove_key(transaction, key.sid)


@router.post(
    "/AuthToken/Rotate",
    operation_id="RotateAuthToken",
    summary="Replace the account's auth token (ours)",
    responses={
        200: answer("The new token", {"authToken": "a token of 43 letters and digits"}),
        **error_answers(
            RequestRefused(f"overlapSeconds: Input should be less than or equal to {MAX_OVERLAP}"),
            AccountTokenNeeded(),
            has_body=True,
        ),
    },
    openapi_extra=OURS | request_example({"overlapSeconds": 3600}),
)
async def rotate_auth_token(
    _admitted: VerifiedCaller,
    body: Annotated[RotationRequest, json_body(RotationRequest)],
    caller: LockedCaller,
    transaction: Transaction,
) -> NewToken:
    """Only with the account's own SID and auth token **(ours)**. The answer is the only one that has the new token.

    The token in use is accepted for `overlapSeconds` more, by default not at all. One that was replaced before is
    refused at once.
    """
    caller.need_account_token()
    token = new_secret()
    overlap = timedelta(seconds=body.overlap_seconds)
    await rotate_token(transaction, caller.account_id, Credentials(caller.account_sid, digest(token)), overlap)
    return NewToken(auth_token=token)
