"""`/console/stores/{storeId}/profiles/{profileId}/split`: joins are undone, after it was shown what would be left."""

from dataclasses import replace
from uuid import UUID

from fastapi import Response

from profile_lookup.clock import CLOCK
from profile_lookup.console.dependencies import PersonId, WritePage
from profile_lookup.console.joins.split_form import blockable, field_of, is_as_previewed, split_request_of
from profile_lookup.console.joins.why_routes import fetch_explained_person, show_why
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.errors import Outdated, ProfileLookupError, RequestRefused
from profile_lookup.history.split_request import SplitRequest
from profile_lookup.history.splits import split_or_enqueue
from profile_lookup.identity.history.splitting import Split
from profile_lookup.identity.profile import values_by_group
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.operations.quotas import Quotas
from profile_lookup.web import ids
from profile_lookup.web.etags import profile_etag

router = page_router()

FORM = "split"
_CHANGED = "Nothing was split, because the person has changed since the preview. This is what a split would leave now"
_OTHER_CHOICES = Refusal(
    FORM, "", "Nothing was split yet, because you have changed your choices. This is what a split would leave now", 409
)
MOST_PARTS = 300
"""The most profiles that the preview shows."""


@router.post("/stores/{storeId}/profiles/{profileId}/split/preview")
async def preview(page: WritePage, person_id: PersonId, quotas: QuotasOfApp) -> Response:
    """Show what would be left, and change nothing."""
    try:
        request = split_request_of(page.form, page.actor, is_dry_run=True)
    except RequestRefused as error:
        return await show_why(page, person_id, refusal=Refusal.of(FORM, error))
    return await _show_preview_or_why(page, person_id, request, quotas)


@router.post("/stores/{storeId}/profiles/{profileId}/split")
async def split(page: WritePage, person_id: PersonId, quotas: QuotasOfApp) -> Response:
    """Undo the joins. If the profile or the choices have changed since the preview, show a new preview instead."""
    request = split_request_of(page.form, page.actor, is_dry_run=False)
    dry_run = replace(request, is_dry_run=True, if_match=None)
    if not is_as_previewed(page.form):
        return await _show_preview_or_why(page, person_id, dry_run, quotas, _OTHER_CHOICES)
    try:
        done = await split_or_enqueue(page.services.database, page.rules, person_id, request, CLOCK.now(), quotas)
    except CORRECTABLE as error:
        return await _show_preview_or_why(page, person_id, dry_run, quotas, _refusal_of(error))
    if not isinstance(done, Split):
        return await page.redirect(page.address(f"operations/{ids.operation_id(done)}"), "The split has begun.")
    page.note_profiles(part.profile.id for part in done.parts)
    address = page.person_address(done.parts[0].profile.id)
    return await page.redirect(address, f"The joins are undone. {len(done.parts)} profiles are left.")


def _refusal_of(error: ProfileLookupError) -> Refusal:
    refusal = Refusal.of(FORM, error)
    return refusal._replace(reason=_CHANGED) if isinstance(error, Outdated) else refusal


async def _show_preview_or_why(
    page: StorePage, person_id: UUID, request: SplitRequest, quotas: Quotas, refusal: Refusal | None = None
) -> Response:
    """Return the preview of a split; if it is refused, the page of the joins, with the reason."""
    try:
        return await _show_preview(page, person_id, request, quotas, refusal)
    except CORRECTABLE as error:
        return await show_why(page, person_id, refusal=Refusal.of(FORM, error))


async def _show_preview(
    page: StorePage, person_id: UUID, request: SplitRequest, quotas: Quotas, refusal: Refusal | None = None
) -> Response:
    """Return the page with the person as it is, and the profiles that would be left.

    Raises what a split raises. A very large person's preview is an operation: then the page links to it.
    """
    explained = await fetch_explained_person(page, person_id)
    profile = explained.person.profile
    done = await split_or_enqueue(page.services.database, page.rules, person_id, request, CLOCK.now(), quotas)
    parts = done.parts if isinstance(done, Split) else None
    page.note_profiles(part.profile.id for part in parts or ())
    blocked = {field_of(each) for each in request.block}
    bridges = {each.identifier: each.holds_together for each in explained.explanation.bridges}
    by = blockable(explained.explanation.joins, request.events)
    return await page.render(
        "joins/split.html",
        refusal=refusal,
        explained=explained,
        parts=parts,
        operation=None if isinstance(done, Split) else ids.operation_id(done),
        events=[ids.event_id(each) for each in request.events],
        keeps_apart=request.keeps_apart,
        candidates=[(each, bridges.get(each, 1), field_of(each), field_of(each) in blocked) for each in by],
        blocked=sorted(blocked),
        if_match=profile_etag(profile.id, values_by_group(profile.traits), profile.identifiers),
        most_parts=MOST_PARTS,
    )
