"""`/v1/ControlPlane/Stores/{storeId}/IdentityResolutionSettings`."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from profile_lookup.database.documents import settings_document
from profile_lookup.errors import Outdated, RequestRefused, SettingsRefused
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.settings_change import SettingsChange
from profile_lookup.identity_settings import queries
from profile_lookup.identity_settings.wire import (
    IdentityResolutionSettingsAnswer,
    IdentityResolutionSettingsBody,
)
from profile_lookup.operations.dependencies import QuotasOfApp, accepted, accepted_answer
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.queries import record_completed, unfinished_inputs
from profile_lookup.operations.queue import enqueue
from profile_lookup.operations.quotas import refuse_beyond_queue_quota
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, IfMatch, Transaction
from profile_lookup.web.etags import etag, names_a_state, refuse_outdated
from profile_lookup.web.openapi import ETAG, answer, error_answers, request_example

router = APIRouter(
    prefix="/v1/ControlPlane/Stores/{storeId}/IdentityResolutionSettings",
    tags=["IdentityResolutionSettings"],
    route_class=ContractRoute,
)

_ACCEPTED = "Identity Resolution Settings accepted for processing."
_EXAMPLE: dict[str, Any] = IdentityResolutionSettingsAnswer.of_domain(DEFAULT_SETTINGS, 1).model_dump(by_alias=True)


@router.get(
    "",
    operation_id="FetchIdentityResolutionSettings",
    summary="Fetch a store's identity resolution settings",
    responses={
        200: answer("The settings in force", _EXAMPLE, ETAG),
        **error_answers(*STORE_ERRORS, has_body=False),
    },
)
async def fetch_settings(store: StoreOfAccount, response: Response) -> IdentityResolutionSettingsAnswer:
    """The settings define the identifier types, how their values are normalized, and which types identify a person."""
    response.headers["ETag"] = etag(store.settings_version, store.created_at)
    return IdentityResolutionSettingsAnswer.of_domain(store.settings, store.settings_version)


@router.put(
    "",
    operation_id="UpdateIdentityResolutionSettings",
    summary="Replace a store's identity resolution settings",
    status_code=202,
    responses={
        202: accepted_answer(
            "When the operation has ended, the settings are in force, or its `error` says why not.", _ACCEPTED
        ),
        **error_answers(
            RequestRefused("body: expected JSON; it is malformed at character 1"),
            SettingsRefused("identifierConfigs: Field required"),
            SettingsRefused("identifierConfigs: expected each idType once"),
            *STORE_ERRORS,
            Outdated(),
            has_body=True,
        ),
    },
    openapi_extra=request_example({name: value for name, value in _EXAMPLE.items() if name != "version"}),
)
async def update_settings(
    store: StoreOfAccount,
    body: Annotated[IdentityResolutionSettingsBody, json_body(IdentityResolutionSettingsBody, refusal=SettingsRefused)],
    transaction: Transaction,
    base_url: BaseUrl,
    quotas: QuotasOfApp,
    response: Response,
    if_match: IfMatch = None,
) -> OperationAccepted:
    """The whole document is replaced; members that are left out get their default.

    If a type's `normalization`, `enforceUnique` or `matchingAlgo` changes, stored values may have to be rewritten, and
    a worker does that. Until its operation has ended, the old settings are in force, and from then on the new ones.
    Values that become equal are resolved like any other conflict: their profiles merge into the earliest. If that is
    not possible, or the new normalization refuses a value, the operation fails and nothing has changed.
    """
    settings = body.to_domain()
    store = await lock_rules(transaction, store.account_id, store.id)
    refuse_outdated(if_match, etag(store.settings_version, store.created_at))
    change = SettingsChange(store.settings, settings)
    # An earlier change that still waits may change what this one means, so this one waits, too.
    waits = bool(await unfinished_inputs(transaction, store.id, OperationKind.UPDATE_SETTINGS))
    if not waits:
        await queries.refuse_contradictions(transaction, store, change)
    if waits or await queries.types_in_use(transaction, store, change.rewritten):
        await refuse_beyond_queue_quota(transaction, store.account_id, store.id, quotas)
        job_input = {
            "settings": settings_document(settings),
            "expected_version": store.settings_version if names_a_state(if_match) else None,
        }
        operation = await enqueue(
            transaction, store.account_id, store.id, kind=OperationKind.UPDATE_SETTINGS, job_input=job_input
        )
    else:
        await queries.replace(transaction, store, settings)
        operation = await record_completed(
            transaction,
            store.account_id,
            store.id,
            kind=OperationKind.UPDATE_SETTINGS,
            result_id=ids.store_id(store.id),
        )
    return accepted(response, base_url, operation, _ACCEPTED)
