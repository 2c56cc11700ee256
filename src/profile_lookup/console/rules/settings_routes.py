"""`/console/stores/{storeId}/rules/settings`: the identity resolution settings as a form, with a preview."""

from typing import Any

from fastapi import Response

from profile_lookup.console.dependencies import ManagePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.console.rules.differences import differences
from profile_lookup.console.rules.form_fields import Row
from profile_lookup.console.rules.settings_form import (
    FIELDS,
    comparable,
    comparable_settings,
    label_of,
    rows_in_force,
    settings_body,
    settings_document,
    typed_rows,
)
from profile_lookup.console.store_operations import find_operation
from profile_lookup.errors import Outdated
from profile_lookup.identity_settings import changes
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.web import ids
from profile_lookup.web.etags import etag

router = page_router()

_FORM = "settings"
_ADDRESS = "rules/settings"
_IN_FORCE = "The settings are in force."
_REWRITTEN = "A worker rewrites stored values for these settings. Until it is done, the former settings are in force."


@router.get("/stores/{storeId}/rules/settings")
async def show_settings(page: ManagePage) -> Response:
    return await _shown(page, rows_in_force(page.rules.settings), _etag(page))


@router.post("/stores/{storeId}/rules/settings")
async def save_settings(page: ManagePage, quotas: QuotasOfApp) -> Response:
    """Put the typed settings in force, unless others have changed them since the page was opened."""
    rows, if_match = typed_rows(page.form), page.form.required("etag")
    try:
        typed = settings_body(rows).to_domain()
        async with page.services.database.transaction() as connection:
            operation = await changes.update(connection, page.rules, typed, if_match, page.actor, quotas)
    except Outdated as error:
        return await _outdated(page, rows, error)
    except CORRECTABLE as error:
        return await _shown(page, rows, if_match, refusal=Refusal.of(_FORM, error))
    return await _saved(page, ids.operation_id(operation))


@router.post("/stores/{storeId}/rules/settings/preview")
async def preview_settings(page: ManagePage, quotas: QuotasOfApp) -> Response:
    """Begin a preview of the typed settings, and show it beside them."""
    rows, if_match = typed_rows(page.form), page.form.required("etag")
    try:
        typed = settings_body(rows).to_domain()
        async with page.services.database.transaction() as connection:
            operation = await changes.preview(connection, page.rules, typed, None, quotas)
    except CORRECTABLE as error:
        return await _shown(page, rows, if_match, refusal=Refusal.of(_FORM, error))
    return await _shown(page, rows, if_match, operation_id=ids.operation_id(operation))


async def _saved(page: StorePage, operation_id: str) -> Response:
    operation = await find_operation(page, operation_id, OperationKind.UPDATE_SETTINGS)
    if operation.completed_at is not None:
        return await page.redirect(page.store_address(_ADDRESS), _IN_FORCE)
    return await page.redirect(page.address(f"operations/{operation_id}"), _REWRITTEN)


async def _outdated(page: StorePage, rows: list[Row], error: Outdated) -> Response:
    """Show both versions. Whoever saves again replaces the one that is in force now."""
    async with page.services.database.statements() as connection:
        page.rules = await rules_in_force(connection, page.rules.account_id, page.rules.id)
    versions = differences(comparable_settings(page.rules.settings), comparable(settings_document(rows)))
    return await _shown(page, rows, _etag(page), refusal=Refusal.of(_FORM, error), versions=versions)


def _etag(page: StorePage) -> str:
    return etag(page.rules.settings_version, page.rules.created_at)


async def _shown(page: StorePage, rows: list[Row], if_match: str, **values: Any) -> Response:
    """Return the form with these rows, and an empty one for another type."""
    refusal: Refusal | None = values.get("refusal")
    return await page.render(
        "rules/settings.html",
        rows=[*rows, dict.fromkeys(FIELDS, "")],
        etag=if_match,
        form=_FORM,
        address=page.store_address(_ADDRESS),
        refused_label=label_of(refusal.field, rows) if refusal else "",
        **{"operation_id": None, "versions": None, **values},
    )
