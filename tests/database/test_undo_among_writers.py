"""Others write to the same profiles while an import is undone: nothing that they wrote is lost, and nobody fails."""

import asyncio
from collections import Counter
from random import Random

import pytest
from sqlalchemy import text

from profile_lookup.database.pool import Database
from profile_lookup.identity.rules import IdentifierConfig, IdentityResolutionSettings
from profile_lookup.imports.undo import undo_job
from tests.database.stores import make_store
from tests.database.undoes import ROW, undo, write

LIMITED = IdentityResolutionSettings(
    (IdentifierConfig("email"), IdentifierConfig("phone", limit=2)), ("email", "phone")
)
PEOPLE = 30  # so few that no address is evicted by the limit of its type, 100
WRITERS = 4


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_of_others_is_lost_while_an_import_is_undone(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(undo_job, "EVENTS_PER_STEP", 5)
    monkeypatch.setattr(undo_job, "ERASED_PER_STEP", 5)
    store = await make_store(database, LIMITED)
    chance = Random(seed)
    for number in range(PEOPLE // 2):
        await write(database, store, f"email:known-{number}", f"phone:known-{number}")
    for _ in range(2 * PEOPLE):
        await write(
            database,
            store,
            f"email:known-{chance.randrange(PEOPLE)}",
            f"phone:known-{chance.randrange(PEOPLE)}",
            actor=ROW,
        )

    async def write_some(writer: int) -> list[str]:
        values = []
        for number in range(15):
            values.append(f"{writer}-{number}")
            await write(database, store, f"email:known-{chance.randrange(PEOPLE)}", f"email:{values[-1]}")
        return values

    undoing = asyncio.create_task(undo(database, store))
    written = await asyncio.gather(*map(write_some, range(WRITERS)))
    job = await undoing
    assert sum(job.progress["counts"].values()) > 0
    async with database.statements() as connection:
        held = Counter(
            (await connection.execute(text("select value from identifier where id_type = 'email'"))).scalars()
        )
        left = await connection.scalar(text("select count(*) from event where document #>> '{o,0}' = 'import'"))
        made = await connection.scalar(text("select count(*) from profile where starts_with(created_by, 'import')"))
    assert (left, made) == (0, 0)
    assert {value for values in written for value in values} <= held.keys()
    assert {f"known-{number}" for number in range(PEOPLE // 2)} <= held.keys()
    assert set(held.values()) == {1}
