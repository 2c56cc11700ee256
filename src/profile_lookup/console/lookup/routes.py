"""The page `/console/stores/{storeId}`, which answers who is calling."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import Response

from profile_lookup.console.dependencies import LookupPage
from profile_lookup.console.lookup.readings import found_people, readings_of
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.people import cards_of
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.errors import ProfileMoved, ProfileNotFound, RequestRefused
from profile_lookup.identity.identifier import Identifier, NormalizedIdentifier
from profile_lookup.profiles.people import fetch_profiles
from profile_lookup.profiles.queries import fetch_profile
from profile_lookup.web import ids

router = page_router()

MAX_CARDS = 20
"""The most people that are shown; a lookup finds up to 100 for each type."""

Found = Mapping[UUID, Sequence[NormalizedIdentifier]]


@router.get("/stores/{storeId}")
async def look_up_page(page: LookupPage) -> Response:
    return await _shown(page)


@router.post("/stores/{storeId}/reading")
async def reading(page: LookupPage) -> Response:
    """Return how the store reads what is being typed: a part of the page."""
    return await page.render("lookup/readings.html", **_typed(page))


@router.post("/stores/{storeId}")
async def look_up(page: LookupPage) -> Response:
    """Show whom a number, an address, a chat ID or the ID of a profile names."""
    try:
        typed = page.form.required("value")
        if _is_profile_id(typed):
            return await page.redirect(page.person_address(await _existing(page, typed.strip())))
        found = await _found(page, typed)
    except CORRECTABLE as error:
        return await _shown(page, Refusal.of("look-up", error))
    page.note_profiles(found)
    return await _shown(page, found=found, cards=await _cards(page, found))


async def _shown(page: StorePage, refusal: Refusal | None = None, **found: Any) -> Response:
    return await page.render("lookup/page.html", refusal=refusal, **{"found": None, **_typed(page), **found})


def _typed(page: StorePage) -> dict[str, Any]:
    """Return what was typed, and how the store reads it."""
    typed, is_profile = page.form.text("value"), _is_profile_id(page.form.text("value"))
    readings = readings_of(page.rules, typed, _id_types(page)) if typed and not is_profile else []
    return {"typed": typed, "chosen": page.form.text("idType"), "readings": readings, "is_profile": is_profile}


def _is_profile_id(typed: str) -> bool:
    return ids.is_well_formed(ids.PROFILE_ID_PATTERN, typed.strip())


def _id_types(page: StorePage) -> Sequence[str]:
    """Return the chosen type, or else all types of the store."""
    configured = page.rules.settings.id_types
    return [each for each in configured if each == page.form.text("idType")] or configured


async def _existing(page: StorePage, profile_id: str) -> UUID:
    """Return the canonical profile that has this ID, or had it. Raises `RequestRefused`."""
    if not page.may("read"):
        raise RequestRefused("value: your key may look up identifiers, and not read profiles")
    uuid = ids.decoded(profile_id) or UUID(int=0)  # nothing has this one
    try:
        async with page.services.database.snapshot() as connection:
            await fetch_profile(connection, page.rules, uuid)
    except ProfileMoved as moved:
        return moved.canonical_id
    except ProfileNotFound:
        raise RequestRefused("value: no profile of this store has this ID") from None
    return uuid


async def _found(page: StorePage, typed: str) -> Found:
    id_types = _id_types(page)
    sought = [Identifier(each, typed) for each in id_types]
    async with page.services.load_limits.lookup_batch_turns:
        results = await page.services.batch_lookup.look_up(page.credentials, page.store_id, page.rules, sought)
    return found_people(results, id_types)


async def _cards(page: StorePage, found: Found) -> Sequence[Any]:
    """Return the cards of the people that are shown, if the caller may read profiles."""
    if not page.may("read"):
        return []
    async with page.services.database.snapshot() as connection:
        return cards_of(await fetch_profiles(connection, page.rules, list(found)[:MAX_CARDS]))
