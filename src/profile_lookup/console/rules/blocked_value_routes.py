"""`/console/stores/{storeId}/rules/blocked-values`: the values that identify nobody, as a form with a preview."""

from typing import Any

from fastapi import Response

from profile_lookup.blocked_values.changes import put_in_force
from profile_lookup.blocked_values.wire import BlockedValuesBody
from profile_lookup.console.dependencies import ManagePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.console.rules.blocked_values_form import (
    BlockedValuesForm,
    comparable,
    comparable_blocked_values,
)
from profile_lookup.console.rules.differences import differences
from profile_lookup.console.wire import typed_as
from profile_lookup.errors import Outdated
from profile_lookup.identity.values.built_in_blocked_values import BUILT_IN_BLOCKED_VALUES, PLACEHOLDERS
from profile_lookup.identity_settings import changes
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.operations.quotas import refuse_beyond_queue_quota
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.stores.rules_lock import lock_rules
from profile_lookup.web import ids
from profile_lookup.web.etags import etag, refuse_outdated

router = page_router()

_FORM = "blocked-values"
_ADDRESS = "rules/blocked-values"
_IN_FORCE = "The blocked values are in force. A worker removes the identifiers that they block."


@router.get("/stores/{storeId}/rules/blocked-values")
async def show_blocked_values(page: ManagePage) -> Response:
    return await _shown(page, BlockedValuesForm.stored(page.rules.blocked_values), _etag(page))


@router.post("/stores/{storeId}/rules/blocked-values")
async def save_blocked_values(page: ManagePage, quotas: QuotasOfApp) -> Response:
    """Put the typed values in force, unless others have changed them since the page was opened."""
    typed, if_match = _typed(page), page.form.required("etag")
    try:
        body = typed_as(BlockedValuesBody, typed.document())
        async with page.services.database.transaction() as connection:
            store = await lock_rules(connection, page.rules.account_id, page.rules.id)
            refuse_outdated(if_match, etag(store.blocked_values_version, store.created_at))
            await refuse_beyond_queue_quota(connection, store.account_id, store.id, quotas)
            await put_in_force(connection, store, body.to_domain(store.settings), page.actor)
    except Outdated as error:
        return await _outdated(page, typed, error)
    except CORRECTABLE as error:
        return await _shown(page, typed, if_match, refusal=typed.located(Refusal.of(_FORM, error)))
    return await page.redirect(page.store_address(_ADDRESS), _IN_FORCE)


@router.post("/stores/{storeId}/rules/blocked-values/preview")
async def preview_blocked_values(page: ManagePage, quotas: QuotasOfApp) -> Response:
    """Begin a preview of the typed values, with the settings that are in force, and show it beside them."""
    typed, if_match = _typed(page), page.form.required("etag")
    try:
        body = typed_as(BlockedValuesBody, typed.document())
        async with page.services.database.transaction() as connection:
            operation = await changes.preview(connection, page.rules, page.rules.settings, body, quotas)
    except CORRECTABLE as error:
        return await _shown(page, typed, if_match, refusal=typed.located(Refusal.of(_FORM, error)))
    return await _shown(page, typed, if_match, operation_id=ids.operation_id(operation))


def _typed(page: StorePage) -> BlockedValuesForm:
    return BlockedValuesForm.typed(page.form, page.rules.settings.id_types, page.rules.blocked_values)


async def _outdated(page: StorePage, typed: BlockedValuesForm, error: Outdated) -> Response:
    """Show both versions. Whoever saves again replaces the one that is in force now."""
    async with page.services.database.statements() as connection:
        page.rules = await rules_in_force(connection, page.rules.account_id, page.rules.id)
    versions = differences(comparable_blocked_values(page.rules.blocked_values), comparable(typed.document()))
    return await _shown(page, typed, _etag(page), refusal=Refusal.of(_FORM, error), versions=versions)


def _etag(page: StorePage) -> str:
    return etag(page.rules.blocked_values_version, page.rules.created_at)


async def _shown(page: StorePage, typed: BlockedValuesForm, if_match: str, **values: Any) -> Response:
    return await page.render(
        "rules/blocked_values.html",
        typed=typed,
        id_types=page.rules.settings.id_types,
        placeholders=sorted(PLACEHOLDERS),
        built_in=BUILT_IN_BLOCKED_VALUES,
        etag=if_match,
        form=_FORM,
        address=page.store_address(_ADDRESS),
        **{"operation_id": None, "versions": None, **values},
    )
