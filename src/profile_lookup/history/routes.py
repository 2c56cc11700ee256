"""`/v1/Stores/{storeId}/Profiles/{profileId}/Events` and `…/Explanation`."""

import asyncio

from fastapi import APIRouter

from profile_lookup.database.event_rows import ids_of_people, numbered_events
from profile_lookup.errors import PageTokenRefused, RequestRefused
from profile_lookup.history import queries
from profile_lookup.history.wire import EventAnswer, EventList, ExplanationAnswer
from profile_lookup.identity.history.explanation import explanation_of
from profile_lookup.profiles.dependencies import PROFILE_ERRORS, ProfileOfStore
from profile_lookup.web import ids
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import DatabaseOfApp, Snapshot
from profile_lookup.web.openapi import answer, error_answers
from profile_lookup.web.pagination import DataPlanePage, PageTokensOfApp, fetch_page
from profile_lookup.web.redirects import moved_answer
from profile_lookup.web.wire import OURS

router = APIRouter(prefix="/v1/Stores/{storeId}/Profiles/{profileId}", tags=["History"], route_class=ContractRoute)

_ACTOR = {"type": "key", "id": ids.EXAMPLE_KEY_SID}
_BY = {"idType": "email", "value": "ann@example.com", "strength": "strong"}

EXAMPLE_EVENT = {
    "id": ids.EXAMPLE_EVENT_ID,
    "kind": "updated",
    "at": "2026-01-15T10:15:30Z",
    "profileId": ids.EXAMPLE_PROFILE_ID,
    "actor": _ACTOR,
    "matched": [_BY | {"profileId": ids.EXAMPLE_PROFILE_ID}],
    "added": [{"idType": "phone", "value": "+13175556789"}],
    "traits": [{"traitGroup": "Contact", "name": "firstName", "value": "Ann", "previous": "Anna"}],
}


@router.get(
    "/Events",
    operation_id="ListProfileEvents",
    summary="List what happened to a profile",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The events of the profile and of those that merged into it",
            {"events": [EXAMPLE_EVENT], "meta": {"key": "events", "pageSize": 1}},
        ),
        **moved_answer(301),
        **error_answers(
            RequestRefused("pageSize: Input should be less than or equal to 1000"),
            PageTokenRefused(),
            *PROFILE_ERRORS,
            has_body=False,
        ),
    },
    openapi_extra=OURS,
)
async def list_profile_events(
    addressed: ProfileOfStore, page: DataPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> EventList:
    """Each write that changed something has an event **(ours)**.

    The newest comes first, unless `orderBy` says otherwise. A value that was removed since has left all events, which
    then have only its type.
    """
    store = addressed.store
    created = await queries.creation_of(snapshot, store, addressed.id)
    query = queries.shown_events_of(store, await ids_of_people(snapshot, store.id, [addressed.id]))
    scope = ("events", str(store.id), str(addressed.id))
    found = await fetch_page(snapshot, query, queries.EVENTS_KEY, page, tokens, *scope)
    shown = [each.event for each in numbered_events(found.rows) if each.event.is_shown]
    if created is not None:  # then nothing else has happened, but perhaps an import was undone
        shown.insert(0 if page.order == "ASC" else len(shown), created)
    meta = found.meta.model_copy(update={"page_size": len(shown)})
    return EventList(events=[EventAnswer.of_domain(each) for each in shown], meta=meta)


@router.get(
    "/Explanation",
    operation_id="FetchProfileExplanation",
    summary="Why is all this one person?",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "What made the profile one person, and what alone holds it together",
            {
                "profileId": ids.EXAMPLE_PROFILE_ID,
                "formerly": [ids.EXAMPLE_PROFILE_ID],
                "identifiers": [
                    {
                        "idType": "email",
                        "value": "ann@example.com",
                        "addedAt": "2026-01-15T10:15:30Z",
                        "event": ids.EXAMPLE_EVENT_ID,
                    }
                ],
                "joins": [
                    {
                        "event": ids.EXAMPLE_EVENT_ID,
                        "at": "2026-01-15T10:15:30Z",
                        "kind": "merged",
                        "rule": "email",
                        "by": [_BY],
                        "joined": [ids.EXAMPLE_PROFILE_ID],
                        "actor": _ACTOR,
                    }
                ],
                "bridges": [{"idType": "email", "value": "ann@example.com", "holdsTogether": 2}],
            },
        ),
        **moved_answer(301),
        **error_answers(*PROFILE_ERRORS, has_body=False),
    },
    openapi_extra=OURS,
)
async def fetch_profile_explanation(addressed: ProfileOfStore, database: DatabaseOfApp) -> ExplanationAnswer:
    """The joins are the merges, and the updates by a request that is somebody by itself **(ours)**.

    A *bridge* is an identifier without which the recorded joins would leave the profile in several parts. Joins that
    were undone explain nothing.
    """
    async with database.snapshot() as connection:
        person = await queries.fetch_person(connection, addressed.store, addressed.id)
    # In a thread, since it takes a tenth of a second for somebody with ten thousand events.
    explanation = await asyncio.to_thread(explanation_of, addressed.store.settings, person)
    return ExplanationAnswer.of_domain(person, explanation)
