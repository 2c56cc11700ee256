"""`/v1/Stores/{storeId}/Events`."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic.json_schema import SkipJsonSchema

from profile_lookup.database.keyset import DEFAULT_PAGE_SIZE, MAX_TOKEN
from profile_lookup.errors import FeedTokenRefused, RequestRefused
from profile_lookup.history.feed_order import Position
from profile_lookup.history.feed_reader import FeedEvents, read_feed
from profile_lookup.history.feed_tokens import FeedTokens
from profile_lookup.history.routes import EXAMPLE_EVENT
from profile_lookup.history.wire import EventAnswer, FeedMeta, FeedPage
from profile_lookup.stores.dependencies import STORE_ERRORS, StoreOfAccount
from profile_lookup.stores.rules_cache import StoreRules
from profile_lookup.web.body import ContractRoute
from profile_lookup.web.dependencies import SigningSecrets, readmit, services_of
from profile_lookup.web.middleware.load_limits import without_turn
from profile_lookup.web.openapi import answer, error_answers
from profile_lookup.web.wire import OURS

MAX_WAIT = 20  # seconds

router = APIRouter(prefix="/v1/Stores/{storeId}/Events", tags=["History"], route_class=ContractRoute)


@router.get(
    "",
    operation_id="ListStoreEvents",
    summary="Follow what happens in a store",
    response_model_exclude_none=True,
    responses={
        200: answer(
            "The next events of the feed, and the token of what follows them",
            {"events": [EXAMPLE_EVENT], "meta": {"key": "events", "pageSize": 1, "nextToken": "WzEsMTddLg"}},
        ),
        **error_answers(
            RequestRefused("wait: Input should be less than or equal to 20"),
            FeedTokenRefused(),
            *STORE_ERRORS,
            has_body=False,
        ),
    },
    openapi_extra=OURS,
)
async def list_store_events(
    request: Request,
    store: StoreOfAccount,
    secrets: SigningSecrets,
    after: Annotated[
        str | SkipJsonSchema[None],
        Query(
            max_length=MAX_TOKEN,
            description="The `nextToken` of the page before. It never expires. Without it, the feed begins.",
        ),
    ] = None,
    wait: Annotated[
        int,
        Query(ge=0, le=MAX_WAIT, description="How many seconds to wait for the first event, if there is none yet."),
    ] = 0,
    page_size: Annotated[
        int, Query(alias="pageSize", ge=1, le=1000, description="The maximum number of items on a page.")
    ] = DEFAULT_PAGE_SIZE,
    page_size_of_sdks: Annotated[
        int | SkipJsonSchema[None], Query(alias="PageSize", ge=1, le=1000, include_in_schema=False)
    ] = None,
) -> FeedPage:
    """The events of all profiles, the oldest first, each once and in an order that never changes **(ours)**.

    Whoever goes on from the last `meta.nextToken`, which an empty page has as well, misses nothing. No event comes
    before one that it depends on. Only an empty page says that there are no more events for now. An erased profile
    leaves an event of kind `erased`, with its IDs alone, and takes its other events with it.
    """
    tokens = FeedTokens(secrets, store.id)
    found = await _read(request, store, tokens.read(after), page_size_of_sdks or page_size, wait)
    events = [EventAnswer.of_domain(each) for each in found.events]
    meta = FeedMeta(key="events", page_size=len(events), next_token=tokens.write(found.position))
    return FeedPage(events=events, meta=meta)


async def _read(request: Request, store: StoreRules, after: Position, size: int, wait: float) -> FeedEvents:
    """Return the events after this position, or wait for the first of them."""
    services, clock = services_of(request.scope), asyncio.get_running_loop().time
    deadline = clock() + wait
    found = await read_feed(services.database, store, after, size)
    while not found.events and clock() < deadline and not services.ending.is_set():
        async with without_turn(request.scope):
            await services.feed_waits.wait(store.id, found.feed_end, deadline - clock())
        await readmit(request.scope)
        found = await read_feed(services.database, store, after, size)
    return found
