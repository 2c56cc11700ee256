"""`profile-lookup split`, run as an operator does: it shows what would be left, asks, and undoes the joins."""

import subprocess

import pytest

from profile_lookup.database.pool import Database
from tests.conftest import PATIENCE, look_up, make_store
from tests.database.contents import contents
from tests.history.splits import joins_of, merged, with_many_events
from tests.program.conftest import ACCOUNT, client_of, environment, serving
from tests.program.forked import run_command


@pytest.fixture
async def joined(database: Database, served_settings: dict[str, object]) -> tuple[str, str, str, str]:
    """A store, a profile in it, the one that merged into it, and the event of the merge."""
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            ann, bob = await merged(client, store_id)
    (join,) = await joins_of(database, ann)
    return store_id, ann, bob, join


def split(*arguments: str, answer: str = "", **settings: object) -> subprocess.CompletedProcess[str]:
    return run_command(["split", *arguments], environment(**settings), answer, PATIENCE)


async def test_the_parts_are_shown_and_then_written(
    joined: tuple[str, str, str, str], database: Database, database_url: str, served_settings: dict[str, object]
) -> None:
    store_id, ann, bob, join = joined
    before = await contents(database)
    refused = split(store_id, ann, join, answer="n\n", DATABASE_URL=database_url)
    assert refused.returncode == 1
    assert await contents(database) == before
    lines = refused.stdout.splitlines()
    assert lines[1].split()[0] == ann
    assert lines[1].count("email ann@example.com") == 2  # as an identifier, and as a trait
    assert lines[2].split()[0] == bob
    assert "phone +13175550001" in lines[2]

    done = split(
        store_id,
        ann,
        join,
        "--account",
        ACCOUNT,
        "--yes",
        "--block",
        "email=ANN@example.com",
        DATABASE_URL=database_url,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].count("email ann@example.com") == 1  # the trait stays
    assert done.stdout.splitlines()[-1].startswith("2 profiles are left. The event of the split is mem_event_")
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client:
            assert await look_up(client, store_id, "phone", "+13175550001") == [bob]
            assert await look_up(client, store_id, "email", "ann@example.com") == []


@pytest.mark.slow
async def test_a_profile_with_very_many_events_is_split_by_the_command_itself(
    database: Database, database_url: str, served_settings: dict[str, object]
) -> None:
    with serving(**served_settings) as (_, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            ann, bob = await merged(client, store_id)
            path = f"/v1/Stores/{store_id}/Profiles/{ann}"
            assert (await client.patch(path, json={"traits": {"Contact": {"city": "Rome"}}})).status_code == 202
    await with_many_events(database, ann)
    done = split(store_id, ann, *await joins_of(database, ann), "--yes", DATABASE_URL=database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == [ann, bob]
    assert not any("SPLIT_PROFILE" in row for row in (await contents(database))["operation"])


@pytest.mark.slow
async def test_what_cannot_be_undone_is_said_in_one_line(
    joined: tuple[str, str, str, str], database: Database, database_url: str
) -> None:
    store_id, ann, bob, join = joined
    nobody = "mem_profile_00000000000000000000000000"
    before = await contents(database)
    for arguments, message in (
        ((store_id, ann, f"mem_event_{ann[-26:]}"), "events.0: expected a join: an event of kind merged or updated"),
        ((store_id, bob, join), f"PROFILE: it was merged into {ann}"),
        ((store_id, nobody, join), "There is no such profile in this store"),
        ((f"mem_store_{ann[-26:]}", ann, join), "There is no such store in this account"),
        ((store_id, ann, "mem_event_1"), "EVENT: expected mem_event_ and 26 characters"),
        ((store_id, ann, join, "--block", "email"), "--block: expected TYPE=VALUE"),
    ):
        failed = split(*arguments, "--yes", DATABASE_URL=database_url)
        assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", f"profile-lookup: {message}\n")
    assert await contents(database) == before
