"""`…/profiles/{profileId}/data` and `…/erase`: what the service holds about a person, as a file, and its erasure."""

from uuid import UUID

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.clock import CLOCK
from profile_lookup.console.dependencies import PersonId, ReadPage, WritePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.personal_data.person_file import person_file
from profile_lookup.console.refusals import Refusal
from profile_lookup.ingest.profile_erasure import holdings_of
from profile_lookup.ingest.removals import erase_profile
from profile_lookup.profiles.people import fetch_profiles
from profile_lookup.profiles.queries import fetch_profile
from profile_lookup.web import ids

router = page_router()

_PERSON = "/stores/{storeId}/profiles/{profileId}"
_OTHER_ID = Refusal("erase", "profileId", "expected the ID of this profile, just as it is shown here", 400)


@router.get(_PERSON + "/data")
async def data_page(page: ReadPage, person_id: PersonId) -> Response:
    """Show how much the service holds about a person."""
    return await _shown(page, person_id, "personal_data/data.html")


@router.post(_PERSON + "/data")
async def data_file(page: ReadPage, person_id: PersonId) -> Response:
    """Return all that the service holds about a person, as a file that is named for the profile's ID."""
    async with page.services.database.snapshot() as connection:
        content = await person_file(connection, page.rules, person_id)
    named = {"Content-Disposition": f'attachment; filename="{ids.profile_id(person_id)}.json"'}
    response = Response(content, media_type="application/json", headers=named)
    await page.keep_session(response)
    return response


@router.get(_PERSON + "/erase")
async def erase_page(page: WritePage, person_id: PersonId) -> Response:
    """Show what an erasure would delete."""
    return await _shown(page, person_id, "personal_data/erase.html")


@router.post(_PERSON + "/erase")
async def erase(page: WritePage, person_id: PersonId) -> Response:
    """Erase a person, once its ID was typed."""
    profile_id = ids.profile_id(person_id)
    if page.form.text("profileId").strip() != profile_id:
        return await _shown(page, person_id, "personal_data/erase.html", _OTHER_ID)
    await erase_profile(page.services.database, page.rules, person_id, CLOCK.now(), page.actor)
    return await page.redirect(
        page.first_address(page.store_id), f"{profile_id} was erased. Nothing of it is left in the database."
    )


async def _shown(page: StorePage, person_id: UUID, template: str, refusal: Refusal | None = None) -> Response:
    """Show how much is held about a person. A key that may not read sees that there is such a person, and no more."""
    async with page.services.database.snapshot() as connection:
        await fetch_profile(connection, page.rules, person_id)
        held = await _held(page, connection, person_id) if page.may("read") else {"person": None, "holdings": None}
    return await page.render(template, refusal=refusal, id=person_id, **held)


async def _held(page: StorePage, connection: AsyncConnection, person_id: UUID) -> dict[str, object]:
    (person,) = await fetch_profiles(connection, page.rules, [person_id])
    return {"person": person, "holdings": await holdings_of(connection, page.rules.id, person_id)}
