"""`/v1/ControlPlane/Stores`."""

from typing import Annotated

from fastapi import APIRouter, Response

from profile_lookup.accounts.dependencies import AllStoresManager, Manager, Requester
from profile_lookup.database.keyset import Key
from profile_lookup.database.tables import store as store_table
from profile_lookup.errors import (
    AllStoresNeeded,
    NotFound,
    Outdated,
    PageTokenRefused,
    RequestRefused,
    StoreLimitReached,
    StoreNameTaken,
)
from profile_lookup.identity.blocked_values import NEW_STORES_BLOCKED_VALUES, PLACEHOLDERS_ALONE
from profile_lookup.operations.dependencies import accepted, accepted_answer
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queries import record_completed
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.stores import deletion, queries
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.stores.rules_lock import share_rules
from profile_lookup.stores.settings_events import record_settings_change
from profile_lookup.stores.wire import StoreAnswer, StoreList, StorePatch, StoreRequest
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, IfMatch, SettingsOfApp, Transaction
from profile_lookup.web.etags import etag, refuse_outdated
from profile_lookup.web.openapi import ETAG, answer, error_answers, request_example
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, fetch_page

router = APIRouter(prefix="/v1/ControlPlane/Stores", tags=["Store"], route_class=ContractRoute)

_CREATED = "Memory Store creation accepted for processing."
_CHANGED = "Memory Store update request accepted for processing."
_REMOVED = "Memory Store deletion request accepted for processing."


@router.post(
    "",
    operation_id="CreateStore",
    summary="Create a store",
    status_code=202,
    responses={
        202: accepted_answer("The store is created; the operation's result is its ID.", _CREATED),
        **error_answers(
            RequestRefused("displayName: Field required"),
            StoreLimitReached(15),
            AllStoresNeeded(),
            NotFound(),
            StoreNameTaken(),
            has_body=True,
        ),
    },
    openapi_extra=request_example({"displayName": "customers", "description": "All of them"}),
)
async def create_store(
    caller: AllStoresManager,
    body: Annotated[StoreRequest, json_body(StoreRequest)],
    transaction: Transaction,
    base_url: BaseUrl,
    settings: SettingsOfApp,
    response: Response,
) -> OperationAccepted:
    """The new store has the default settings and trait group.

    The settings have five identifier types (`email`, `whatsapp`, `phone`, `chat`, `pushUserID`), each of which is
    unique and a matching rule. The trait group is `Contact`.
    """
    store_id = await queries.create(
        transaction,
        caller.account_id,
        display_name=body.display_name,
        description=body.description,
        max_stores=settings.max_stores,
        # Test data is full of values such as test@test.com.
        blocked_values=PLACEHOLDERS_ALONE if settings.ephemeral else NEW_STORES_BLOCKED_VALUES,
    )
    operation = await record_completed(
        transaction, caller.account_id, store_id, kind=OperationKind.CREATE_STORE, result_id=ids.store_id(store_id)
    )
    return accepted(response, base_url, operation, _CREATED)


@router.get(
    "",
    operation_id="ListStores",
    summary="List the account's stores",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The IDs of the stores", {"stores": [ids.EXAMPLE_STORE_ID], "meta": {"key": "stores", "pageSize": 1}}
        ),
        **error_answers(RequestRefused("pageSize: Input should be less than or equal to 100"), PageTokenRefused(),
                        NotFound(), has_body=False),
    },
)  # fmt: skip
async def list_stores(
    caller: Manager, page: ControlPlanePage, tokens: PageTokensOfApp, transaction: Transaction
) -> StoreList:
    """The newest store comes first, unless `orderBy` says otherwise. A key with `storeIds` sees only these stores."""
    query = queries.stores_of(caller.account_id, caller.grant.store_ids)
    key = Key((store_table.c.id,))
    found = await fetch_page(transaction, query, key, page, tokens, "stores", str(caller.account_id))
    return StoreList(stores=[ids.store_id(row.id) for row in found.rows], meta=found.meta)


@router.get(
    "/{storeId}",
    operation_id="FetchStore",
    summary="Fetch a store",
    response_model_exclude_unset=True,
    responses={
        200: answer(
            "The store",
            {
                "displayName": "customers",
                "description": "All of them",
                "id": ids.EXAMPLE_STORE_ID,
                "status": "ACTIVE",
                "intelligenceServiceId": None,
                "version": 1,
                "dataAsOf": "2026-01-15T10:15:30Z",
            },
            ETAG,
        ),
        **error_answers(*STORE_ERRORS, has_body=False),
    },
)
async def fetch_store(store: StoreOfAccount, transaction: Transaction, response: Response) -> StoreAnswer:
    """A store is `ACTIVE` as soon as it is created."""
    row = await queries.fetch(transaction, store.account_id, store.id)
    response.headers["ETag"] = etag(row.version, row.created_at)
    return StoreAnswer.of_row(row, await queries.data_as_of(transaction, store.id))


@router.patch(
    "/{storeId}",
    operation_id="PatchStore",
    summary="Change a store's name or description",
    status_code=202,
    responses={
        202: accepted_answer("The store is changed.", _CHANGED),
        **error_answers(
            RequestRefused("body: Expected displayName or description"),
            *STORE_ERRORS,
            StoreNameTaken(),
            Outdated(),
            has_body=True,
        ),
    },
    openapi_extra=request_example({"displayName": "clients"}),
)
async def patch_store(
    store: StoreOfAccount,
    requester: Requester,
    body: Annotated[StorePatch, json_body(StorePatch)],
    transaction: Transaction,
    base_url: BaseUrl,
    response: Response,
    if_match: IfMatch = None,
) -> OperationAccepted:
    """Members that are left out stay as they are."""
    row = await queries.lock(transaction, store.account_id, store.id)
    refuse_outdated(if_match, etag(row.version, row.created_at))
    await queries.rename(
        transaction,
        row,
        display_name=body.display_name or row.display_name,
        description=body.description or row.description,
    )
    await share_rules(transaction, store.account_id, store.id)
    await record_settings_change(transaction, store.id, requester)
    operation = await record_completed(
        transaction, store.account_id, store.id, kind=OperationKind.UPDATE_STORE, result_id=ids.store_id(store.id)
    )
    return accepted(response, base_url, operation, _CHANGED)


@router.delete(
    "/{storeId}",
    operation_id="DeleteStore",
    summary="Delete a store with everything in it",
    status_code=202,
    responses={
        202: accepted_answer("The store is deleted; when the operation has ended, its data is erased.", _REMOVED),
        **error_answers(*STORE_ERRORS, has_body=False),
    },
)
async def delete_store(
    store: StoreOfAccount, transaction: Transaction, base_url: BaseUrl, response: Response
) -> OperationAccepted:
    """The store is hidden from clients at once, and its name is free.

    Its imports, profiles, identifiers, traits, aliases and merge history are then erased. This may take a while, but it
    does not delay other stores.
    """
    operation = await deletion.delete_store(transaction, store.account_id, store.id)
    return accepted(response, base_url, operation, _REMOVED)
