"""`/console/stores/{storeId}/profiles/{profileId}/block`: a value identifies nobody any more."""

from fastapi import Response

from profile_lookup.blocked_values.changes import block_more
from profile_lookup.console.dependencies import ManagePage, PersonId
from profile_lookup.console.joins.split_form import BLOCK, identifier_of
from profile_lookup.console.joins.why_routes import show_why
from profile_lookup.console.page_route import page_router
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.operations.dependencies import QuotasOfApp

router = page_router()


@router.post("/stores/{storeId}/profiles/{profileId}/block/preview")
async def preview(page: ManagePage, person_id: PersonId) -> Response:
    """Show what it means to block a value, and change nothing."""
    identifier = identifier_of(page.form.required(BLOCK))
    return await page.render("joins/block.html", identifier=identifier, person_id=person_id)


@router.post("/stores/{storeId}/profiles/{profileId}/block")
async def block(page: ManagePage, person_id: PersonId, quotas: QuotasOfApp) -> Response:
    """Block a value in the whole store."""
    identifier = identifier_of(page.form.required(BLOCK))
    try:
        async with page.services.database.transaction() as connection:
            await block_more(connection, page.rules, [identifier], page.actor, quotas)
    except CORRECTABLE as error:
        return await show_why(page, person_id, refusal=Refusal.of("split", error))
    address = page.person_address(person_id, "why")
    return await page.redirect(address, "The value is blocked. A worker removes it from all profiles.")
