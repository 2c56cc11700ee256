"""`/console/stores/{storeId}/profiles/{profileId}`: a person, and changes of the person's identifiers."""

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from fastapi import Response

from profile_lookup.clock import CLOCK
from profile_lookup.console.dependencies import PersonId, ReadPage, WritePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.people import Card, cards_of, name_of
from profile_lookup.console.person.facts import held_identifiers, timeline, written_traits
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.history.queries import fetch_person
from profile_lookup.identity.change import Change
from profile_lookup.identity.identifier import Identifier
from profile_lookup.ingest.ingest import ingest
from profile_lookup.ingest.removals import Removal, remove_identifiers
from profile_lookup.profiles.identifier_changes import addition, replacement
from profile_lookup.profiles.people import MAX_HOLDERS, fetch_profiles, holders_of, shared_identifiers
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web import ids

router = page_router()

EVENTS_PER_PAGE = 25
NAMED_HOLDERS = 3
"""How many others are named who have the same value; the rest is counted."""

_PERSON = "/stores/{storeId}/profiles/{profileId}"


@router.get(_PERSON)
async def person_page(page: ReadPage, person_id: PersonId, before: str = "") -> Response:
    """`before` is the ID of the event before which the timeline begins."""
    return await _shown(page, person_id, before=ids.parsed(ids.EVENT_ID_PATTERN, before))


@router.post(_PERSON + "/identifiers/add")
async def add_identifier(page: WritePage, person_id: PersonId) -> Response:
    sent = Identifier(page.form.text("idType"), page.form.text("value"))
    return await _changed(page, person_id, "add", partial(addition, sent=sent), "The identifier was added.")


@router.post(_PERSON + "/identifiers/replace")
async def replace_identifier(page: WritePage, person_id: PersonId) -> Response:
    id_type, old, new = (page.form.text(name) for name in ("idType", "oldValue", "value"))
    read = partial(replacement, id_type=id_type, old_value=old, new_value=new)
    return await _changed(page, person_id, "replace", read, "The identifier was replaced.")


@router.post(_PERSON + "/identifiers/remove")
async def remove_identifier(page: WritePage, person_id: PersonId) -> Response:
    """Remove one value, once it is confirmed."""
    if not page.form.text("confirmed"):
        return await _to_confirm(page, person_id, "person/removal.html", [])
    removal = Removal(page.form.text("idType"), page.form.text("oldValue"))
    database = page.services.database
    try:
        await remove_identifiers(database, page.rules, person_id, removal, CLOCK.now(), page.actor)
    except CORRECTABLE as error:
        return await _shown(page, person_id, refusal=Refusal.of("replace", error))
    return await page.redirect(page.person_address(person_id), "The identifier was removed.")


async def _changed(
    page: StorePage, person_id: UUID, form: str, read: Callable[[StoreRules], Change], notice: str
) -> Response:
    """Change the person, and show it. A change that joins it with others has to be confirmed first."""
    try:
        others = [] if page.form.text("confirmed") else await _whom_it_joins(page, person_id, read(page.rules))
        if others:
            return await _to_confirm(page, person_id, "person/joining.html", others)
        written = await ingest(page.services.database, page.rules, read, CLOCK.now(), person_id, page.actor)
    except CORRECTABLE as error:
        return await _shown(page, person_id, refusal=Refusal.of(form, error))
    return await page.redirect(page.person_address(written), notice)


async def _whom_it_joins(page: StorePage, person_id: UUID, change: Change) -> list[Card]:
    """Return the people with whom a change would make this person one, by a unique value that is a matching rule."""
    settings = page.rules.settings
    joining = [each for each in change.incoming if each.id_type in settings.unique_types & set(settings.matching_rules)]
    async with page.services.database.snapshot() as connection:
        holders = [each for each in await holders_of(connection, page.rules, joining) if each != person_id]
        page.note_profiles(holders)
        return cards_of(await fetch_profiles(connection, page.rules, holders))


async def _to_confirm(page: StorePage, person_id: UUID, template: str, others: Sequence[Card]) -> Response:
    """Return a page that says what will happen, and sends the same form again."""
    page.caller.need("read")
    async with page.services.database.snapshot() as connection:
        person = await fetch_person(connection, page.rules, person_id)
    return await page.render(template, person=Card.of(person.profile), others=others)


async def _shown(
    page: StorePage, person_id: UUID, *, before: UUID | None = None, refusal: Refusal | None = None
) -> Response:
    page.caller.need("read")
    async with page.services.database.snapshot() as connection:
        person = await fetch_person(connection, page.rules, person_id)
        shared = await shared_identifiers(connection, page.rules, person_id)
        named = {each for sharing in shared.values() for each in sharing.profile_ids[:NAMED_HOLDERS]}
        others = await fetch_profiles(connection, page.rules, list(named))
    page.note_profiles(each.id for each in others)
    return await page.render(
        "person/page.html",
        refusal=refusal,
        id=person.profile.id,
        name=name_of(person.profile.traits),
        aliases=sorted(person.aliases),
        identifiers=held_identifiers(page.rules.settings, person, shared),
        names={each.id: name_of(each.traits) for each in others},
        traits=written_traits(person),
        timeline=timeline(person.events, before, EVENTS_PER_PAGE),
        named_holders=NAMED_HOLDERS,
        max_holders=MAX_HOLDERS,
    )
