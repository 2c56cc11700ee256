"""Splits over HTTP, and the events of a profile as the database has them."""

from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.history.splits import MOST_EVENTS
from profile_lookup.web import ids
from tests.conftest import make_profile

Json = dict[str, Any]


async def merged(client: httpx.AsyncClient, store_id: str) -> tuple[str, str]:
    """Make two profiles and merge them; return the canonical one, and the one that is its alias then."""
    ann = await make_profile(client, store_id, email="ann@example.com", firstName="Ann")
    bob = await make_profile(client, store_id, phone="+13175550001", firstName="Bob")
    assert await make_profile(client, store_id, email="ann@example.com", phone="+13175550001", city="Bern") == ann
    return ann, bob


async def events_of(database: Database, profile: str, *kinds: str) -> list[str]:
    """Return the stored events of the person with this ID, earliest first; only those of these kinds, if any."""
    async with database.statements() as connection:
        rows = (await connection.execute(_EVENTS, {"id": ids.decoded(profile)})).all()
    return [ids.event_id(row.id) for row in rows if not kinds or row.kind in kinds]


async def joins_of(database: Database, profile: str) -> list[str]:
    return await events_of(database, profile, "merged", "updated")


async def split(
    client: httpx.AsyncClient, store_id: str, profile: str, events: Sequence[str], **options: object
) -> httpx.Response:
    path = f"/v1/Stores/{store_id}/Profiles/{profile}/Splits"
    return await client.post(path, json={"events": list(events), **options})


async def parts_after(
    client: httpx.AsyncClient, store_id: str, profile: str, events: Sequence[str], **options: object
) -> list[Json]:
    """Split the profile and return its parts."""
    answer = await split(client, store_id, profile, events, **options)
    assert answer.status_code == 202, answer.text
    parts: list[Json] = answer.json()["profiles"]
    return parts


async def separated_from(client: httpx.AsyncClient, store_id: str, profile: str) -> list[str]:
    answer = await client.get(f"/v1/Stores/{store_id}/Profiles/{profile}/Separations?orderBy=ASC")
    assert answer.status_code == 200, answer.text
    return [each["profileId"] for each in answer.json()["separations"]]


async def stored_profile(client: httpx.AsyncClient, store_id: str, profile: str) -> tuple[Any, Any]:
    """Return the traits and the identifiers of a profile."""
    path = f"/v1/Stores/{store_id}/Profiles/{profile}"
    fetched, listed = await client.get(path), await client.get(f"{path}/Identifiers")
    assert fetched.status_code == listed.status_code == 200, fetched.text
    return fetched.json()["traits"], listed.json()["identifiers"]


async def with_many_events(database: Database, profile: str) -> None:
    """Give a profile so many events that a split of it is an operation.

    They repeat one that changed a trait by a request to the profile, so the profile must have such an event.
    """
    async with database.statements() as connection:
        await connection.execute(_REPEAT_EVENT, {"id": ids.decoded(profile), "number": MOST_EVENTS})


_REPEAT_EVENT = text("""
    insert into event (store_id, id, kind, happened_at, profile_id, document)
    select e.store_id, gen_random_uuid(), e.kind, e.happened_at, e.profile_id, e.document
    from event e
    cross join generate_series(1, :number)
    where e.profile_id = :id and e.kind = 'traitsChanged'
""")

_EVENTS = text("""
    select e.id, e.kind from event e
    where e.profile_id in (
        select :id union select a.id from alias a where a.profile_id = :id
    )
    order by e.number
""")
