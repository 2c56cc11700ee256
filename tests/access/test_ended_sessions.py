"""Sessions of the console that were ended by signing out."""

from datetime import timedelta

from sqlalchemy import select

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.ended_sessions import end_session
from profile_lookup.accounts.queries import accepted_credentials
from profile_lookup.clock import CLOCK
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import ended_session

HOUR = timedelta(hours=1)


async def test_an_ended_session_has_no_credentials_and_others_keep_theirs(
    database: Database, account: tuple[str, str]
) -> None:
    sid, secret = account
    async with database.transaction() as connection:
        await end_session(connection, "ended", CLOCK.now() + HOUR)
        await end_session(connection, "ended", CLOCK.now() + HOUR)  # somebody pressed the button in two windows
    credentials = [Credentials(sid, digest(secret))]
    assert await accepted_credentials(database, sid, "ended") == []
    assert await accepted_credentials(database, sid, "another") == credentials
    assert await accepted_credentials(database, sid) == credentials


async def test_a_session_that_would_have_ended_by_itself_is_deleted_when_another_is_ended(database: Database) -> None:
    async with database.transaction() as connection:
        await end_session(connection, "too old", CLOCK.now() - HOUR)
        await end_session(connection, "ended", CLOCK.now() + HOUR)
        assert (await connection.scalars(select(ended_session.c.session_id))).all() == ["ended"]
