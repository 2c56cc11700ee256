"""The constraints of the schema: PostgreSQL refuses rows that break an invariant, should our code ever write them."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import exc, text

from profile_lookup.database.ids import new_id
from profile_lookup.database.pool import Database
from profile_lookup.identity.difference import Difference
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.rules import DEFAULT_SETTINGS
from profile_lookup.identity.values.normalization import NormalizedValue
from profile_lookup.ingest.writes import write
from tests.database.stores import make_store

A, B, C, D = (f"00000000-0000-7000-8000-00000000000{digit}" for digit in "abcd")
STORE = "00000000-0000-7000-8000-000000000001"


async def _execute(database: Database, *statements: str) -> None:
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def _profile(profile_id: str) -> str:
    return f"insert into profile values ('{STORE}', '{profile_id}', now())"


def _alias(alias_id: str, profile_id: str) -> str:
    return f"insert into alias values ('{STORE}', '{alias_id}', '{profile_id}')"


def _identifier(profile_id: str, *, shared_by: str | None = None) -> str:
    """Return the statement for an identifier of a unique type, unless `shared_by` is a profile."""
    mark = "''" if shared_by is None else f"uuid_send('{shared_by}')"
    return f"insert into identifier values ('{STORE}', 'chat', 'c', '{profile_id}', {mark}, now())"


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        ([_profile(A), _profile(B), _identifier(A), _identifier(B)], "identifier_pkey"),
        ([_profile(A), _alias(B, A), _alias(C, B)], "alias_store_id_profile_id_fkey"),
        ([_profile(A), _alias(B, A), _identifier(B)], "identifier_store_id_profile_id_fkey"),
        (
            [_profile(A), _identifier(A), f"delete from profile where id = '{A}'"],
            "identifier_store_id_profile_id_fkey",
        ),
        ([_profile(A), _identifier(A, shared_by=B)], "identifier_shared_by_check"),
        ([_profile(B), _alias(A, B)], "alias_canonical_is_earliest_check"),
    ],
)
async def test_an_invariant_is_enforced(database: Database, statements: list[str], constraint: str) -> None:
    with pytest.raises(exc.IntegrityError, match=re.escape(constraint)):
        await _execute(database, *statements)


async def test_profiles_may_share_a_value_that_is_not_unique(database: Database) -> None:
    await _execute(database, _profile(A), _profile(B), _identifier(A, shared_by=A), _identifier(B, shared_by=B))
    async with database.statements() as connection:
        assert await connection.scalar(text("select count(*) from identifier")) == 2


async def test_a_write_that_would_give_a_unique_value_to_a_second_profile_fails(database: Database) -> None:
    store = await make_store(database, DEFAULT_SETTINGS)
    held, now = NormalizedIdentifier("chat", NormalizedValue("c")), datetime.now(UTC)
    holder, stored, new = new_id(), new_id(), new_id()

    async def write_difference(difference: Difference) -> None:
        async with database.transaction() as connection:
            await write(connection, store, difference)

    await write_difference(Difference(created={holder: now, stored: now}, upserted_identifiers=[(holder, held, now)]))
    with pytest.raises(exc.IntegrityError, match=re.escape("identifier_pkey")):
        await write_difference(Difference(created={new: now}, upserted_identifiers=[(new, held, now)]))
    with pytest.raises(exc.IntegrityError, match='null value in column "added_at"'):
        await write_difference(Difference(upserted_identifiers=[(stored, held, now)]))
