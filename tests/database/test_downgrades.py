"""A downgrade leaves what the version before can read."""

import asyncio

import httpx
import pytest
from alembic import command
from sqlalchemy import text

from profile_lookup.database.migrations import alembic_config
from profile_lookup.database.pool import Database
from tests.conftest import make_profile
from tests.history.splits import merged
from tests.imports.undos import import_of, undone

pytestmark = pytest.mark.plain_postgresql("a distributed schema cannot be downgraded")

_SUSPECT_OF_NOBODY = text("""
    insert into suspect (store_id, profile_id, reason, id_type, value_hash, severity)
    select id, gen_random_uuid(), 'manyIdentifiers', '', 0, 20 from store
""")

_MARKED = text("""
    select
        (select count(*) from profile where traits @? '$.*.*[2]'),
        (select count(*) from event where cast(document as jsonb) @? '$.p.*.*[2]'),
        (select count(*) from event where cast(document as jsonb) @? '$.b[*][2].*.*[2]')
""")

_MARKED_IN_SHORT = text("""
    select
        (select count(*) from event where cast(document as jsonb) @? '$.p[*][2]'),
        (select count(*) from event where cast(document as jsonb) @? '$.b[2][0, 3, 6] ? (@ < 0)')
""")

_PHONE = text("select traits #> '{Contact,phone}' from profile where id = any (select profile_id from alias)")


async def test_a_downgrade_leaves_no_marks_of_traits_no_undone_imports_and_no_suspects_of_nobody(
    client: httpx.AsyncClient, store_id: str, database: Database, database_url: str
) -> None:
    ann, _ = await merged(client, store_id)
    import_id = await import_of(client, store_id, "ann@example.com,,Anna")
    await undone(client, store_id, import_id)
    profiles = f"/v1/Stores/{store_id}/Profiles"
    assert (await client.delete(f"{profiles}/{ann}/Identifiers/phone")).status_code == 202
    await make_profile(client, store_id, email="ann@example.com", phone="+13175550001")  # as before
    cat = await make_profile(client, store_id, chat="c", phone="+13175550003")
    assert (await client.delete(f"{profiles}/{cat}/Identifiers/phone")).status_code == 202
    zoe = await make_profile(client, store_id, whatsapp="z", phone="+13175550004")
    assert (await client.delete(f"{profiles}/{zoe}/Identifiers/phone")).status_code == 202
    await make_profile(client, store_id, chat="c", whatsapp="z")  # merges Cat and Zoe
    async with database.transaction() as connection:
        await connection.execute(_SUSPECT_OF_NOBODY)
        before = (await connection.execute(_PHONE)).scalars().all()
        assert all((await connection.execute(_MARKED_IN_SHORT)).one())
    await asyncio.to_thread(command.downgrade, alembic_config(database_url), "2026_11_28_import_options")
    async with database.transaction() as connection:
        assert (await connection.execute(_MARKED)).one() == (0, 0, 0)
        assert (await connection.execute(_PHONE)).scalars().all() == [each[:2] for each in before]
        kinds = (await connection.execute(text("select kind from event"))).scalars().all()
        assert "importUndone" not in kinds
        assert "split" in kinds
        reasons = (await connection.execute(text("select reason from suspect"))).scalars().all()
        assert "manyIdentifiers" not in reasons
