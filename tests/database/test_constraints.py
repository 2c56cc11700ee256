"""The constraints of the schema: PostgreSQL refuses rows that break an invariant, should our code ever write them."""

import re

import pytest
from sqlalchemy import exc, text

from profile_lookup.database.pool import Database

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


def _identifier(profile_id: str, *, is_unique: bool = True) -> str:
    return f"insert into identifier values ('{STORE}', 'chat', 'c', '{profile_id}', {is_unique}, now())"


@pytest.mark.parametrize(
    ("statements", "constraint"),
    [
        ([_profile(A), _profile(B), _identifier(A), _identifier(B)], "identifier_enforce_unique_idx"),
        ([_profile(A), _alias(B, A), _alias(C, B)], "alias_store_id_profile_id_fkey"),
        ([_profile(A), _alias(B, A), _identifier(B)], "identifier_store_id_profile_id_fkey"),
        (
            [_profile(A), _identifier(A), f"delete from profile where id = '{A}'"],
            "identifier_store_id_profile_id_fkey",
        ),
        ([_profile(B), _alias(A, B)], "alias_canonical_is_earliest_check"),
    ],
)
async def test_an_invariant_is_enforced(database: Database, statements: list[str], constraint: str) -> None:
    with pytest.raises(exc.IntegrityError, match=re.escape(constraint)):
        await _execute(database, *statements)


async def test_profiles_may_share_a_value_that_is_not_unique(database: Database) -> None:
    await _execute(database, _profile(A), _profile(B), _identifier(A, is_unique=False), _identifier(B, is_unique=False))
    async with database.statements() as connection:
        assert await connection.scalar(text("select count(*) from identifier")) == 2
