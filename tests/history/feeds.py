"""Readers of a store's feed, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import httpx

Json = dict[str, Any]


async def read_page(client: httpx.AsyncClient, store_id: str, after: str | None = None, **query: int) -> Json:
    parameters: dict[str, str | int] = {**query} if after is None else {**query, "after": after}
    answer = await client.get(f"/v1/Stores/{store_id}/Events", params=parameters)
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    assert page["meta"]["pageSize"] == len(page["events"])
    return page


async def all_events(
    client: httpx.AsyncClient, store_id: str, after: str | None = None, page_size: int = 50
) -> AsyncIterator[Json]:
    """Yield the events of the feed after this token, page by page, until there are no more."""
    while True:
        page = await read_page(client, store_id, after, pageSize=page_size)
        for event in page["events"]:
            yield event
        if not page["events"]:
            return
        after = page["meta"]["nextToken"]


async def kinds_in_feed(client: httpx.AsyncClient, store_id: str, page_size: int = 50) -> list[str]:
    return [event["kind"] async for event in all_events(client, store_id, page_size=page_size)]
