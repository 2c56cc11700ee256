"""`/v1/ControlPlane/Stores/{storeId}/IdentityResolutionSettings`."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from profile_lookup.accounts.dependencies import Requester
from profile_lookup.blocked_values.routes import LIMITS as BLOCKED_VALUES_LIMITS
from profile_lookup.errors import Outdated, RequestRefused, SettingsRefused
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity_settings import changes
from profile_lookup.identity_settings.wire import (
    IdentityResolutionSettingsAnswer,
    IdentityResolutionSettingsBody,
    SettingsPreviewBody,
)
from profile_lookup.operations.dependencies import QuotasOfApp, accepted, accepted_answer
from profile_lookup.operations.wire import OperationAccepted
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.web.body import ContractRoute, json_body
from profile_lookup.web.dependencies import BaseUrl, IfMatch, Transaction
from profile_lookup.web.etags import etag
from profile_lookup.web.openapi import ETAG, answer, error_answers, request_example
from profile_lookup.web.wire import OURS

router = APIRouter(
    prefix="/v1/ControlPlane/Stores/{storeId}/IdentityResolutionSettings",
    tags=["IdentityResolutionSettings"],
    route_class=ContractRoute,
)

_ACCEPTED = "Identity Resolution Settings accepted for processing."
_PREVIEWED = "Preview of Identity Resolution Settings accepted for processing."
_EXAMPLE: dict[str, Any] = IdentityResolutionSettingsAnswer.of_domain(DEFAULT_SETTINGS, 1).model_dump(by_alias=True)
_REQUEST = {name: value for name, value in _EXAMPLE.items() if name != "version"}
_BODY_ERRORS = (
    RequestRefused("body: expected JSON; it is malformed at character 1"),
    SettingsRefused("identifierConfigs: Field required"),
    SettingsRefused("identifierConfigs: expected each idType once"),
)


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
            *_BODY_ERRORS,
            *STORE_ERRORS,
            Outdated(),
            has_body=True,
        ),
    },
    openapi_extra=request_example(_REQUEST),
)
async def update_settings(
    store: StoreOfAccount,
    requester: Requester,
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
    operation = await changes.update(transaction, store, body.to_domain(), if_match, requester, quotas)
    return accepted(response, base_url, operation, _ACCEPTED)


@router.post(
    "/Preview",
    operation_id="PreviewIdentityResolutionSettings",
    summary="Try identity resolution settings without changing anything",
    status_code=202,
    responses={
        202: accepted_answer(
            "When the operation has ended, its `resultUrl` lists what the settings would do.", _PREVIEWED
        ),
        **error_answers(*_BODY_ERRORS, *STORE_ERRORS, has_body=True, max_body=BLOCKED_VALUES_LIMITS.size),
    },
    openapi_extra=OURS | request_example(_REQUEST),
)
async def preview_settings(
    store: StoreOfAccount,
    body: Annotated[SettingsPreviewBody, json_body(SettingsPreviewBody, BLOCKED_VALUES_LIMITS, SettingsRefused)],
    transaction: Transaction,
    base_url: BaseUrl,
    quotas: QuotasOfApp,
    response: Response,
) -> OperationAccepted:
    """The body is that of the PUT, and may also have blocked values to try **(ours)**.

    The results name the profiles that would merge, the profiles because of which the PUT would fail, and the values
    that profiles would lose, because they are blocked or because a limit evicts them. The preview reads the store in
    steps, and others write meanwhile; each profile is judged as it was when it was read.
    """
    operation = await changes.preview(transaction, store, body.to_domain(), body.blocked_values, quotas)
    return accepted(response, base_url, operation, _PREVIEWED)
