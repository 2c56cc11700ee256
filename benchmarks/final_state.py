"""Reads the stored profiles in a form that can be compared with that of another run.

IDs and times differ in every run. So profiles are compared by the order of their creation, and times by their order
within a profile.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from profile_lookup.identity.history.event_document import event_of_document
from profile_lookup.identity.profile import Profile

State = dict[str, Counter[Any]]
"""The rows of each table, in a comparable form."""


async def final_state(connection: "asyncpg.Connection[Any]", store_id: UUID) -> State:
    rows = {table: await connection.fetch(query, store_id) for table, query in _ROWS.items()}
    state = {table: Counter(map(tuple, found)) for table, found in rows.items()}
    numbers = {row["id"]: row["n"] for row in await connection.fetch(f"{_PERSON} select id, n from person", store_id)}
    state["event"] = Counter(_event(row, numbers) for row in await connection.fetch(_EVENTS, store_id))
    return state


_PERSON = """
    with person as (
        select id, row_number() over (order by id) as n
        from (select store_id, id from profile union all select store_id, id from alias) as everybody
        where store_id = $1
    )
"""
"""All profiles that ever existed, numbered in the order of their creation."""

_EVENTS = """
    select id, kind, happened_at, profile_id, document,
        row_number() over (partition by profile_id order by number) as place
    from event
    where store_id = $1 and profile_id is not null
"""

_ROWS = {
    "profile": f"""
        {_PERSON} select person.n, dense_rank() over (order by created_at) from profile join person using (id)
        where store_id = $1
    """,
    "identifier": f"""
        {_PERSON} select person.n, id_type, value, shared_by = '', fuzzy_key is null,
            rank() over (partition by profile_id order by added_at) as since
        from identifier join person on person.id = identifier.profile_id
        where store_id = $1
    """,
    "trait": f"""
        {_PERSON} select person.n, described.key, written.key, written.value -> 0,
            rank() over (
                partition by profile.id
                order by coalesce((written.value -> 1)::bigint, extract(epoch from profile.created_at) * 1000000)
            ) as since
        from profile join person using (id)
        cross join lateral jsonb_each(profile.traits) as described
        cross join lateral jsonb_each(described.value) as written
        where store_id = $1
    """,
    "alias": f"""
        {_PERSON} select person.n, canonical.n as canonical
        from alias join person using (id) join person canonical on canonical.id = alias.profile_id
        where store_id = $1
    """,
    "what is left of the file": """
        select count(*) from operation_piece piece
        join operation on operation.account_id = piece.account_id and operation.id = piece.operation_id
        where operation.store_id = $1
    """,
}


def _event(row: asyncpg.Record, numbers: Mapping[UUID, int]) -> tuple[Any, ...]:
    document = json.loads(row["document"])
    event = event_of_document(row["id"], row["kind"], row["happened_at"], row["profile_id"], document)
    return (
        row["place"], numbers[event.profile_id], event.kind, event.rule, event.added, event.removed, event.evicted,
        tuple((numbers[profile_id], each, is_strong) for profile_id, each, is_strong in event.matched),
        tuple(event.request.carried.items()), repr(sorted(event.request.traits.items())),
        tuple((numbers[profile.id], *_in_order(profile)) for profile in event.absorbed),
    )  # fmt: skip


def _in_order(profile: Profile) -> tuple[Any, ...]:
    """Return the identifiers and traits of a profile in the order of their times."""
    identifiers = sorted(profile.identifiers, key=lambda each: (profile.identifiers[each], each))
    traits = sorted(profile.traits.items(), key=lambda item: (item[1].written_at, item[0]))
    return (*identifiers, *((name, repr(trait.value)) for name, trait in traits))


def differences(expected: State, found: State) -> Iterator[str]:
    for table, rows in expected.items():
        missing, more = rows - found[table], found[table] - rows
        if missing or more:
            yield f"{table}: {missing.total()} rows are missing, {more.total()} are there that should not"
