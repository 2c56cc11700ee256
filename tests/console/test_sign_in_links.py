"""The one-time link to the console that `serve --demo` prints."""

import asyncio
from datetime import datetime

from sqlalchemy import update

from profile_lookup.accounts.sign_in_links import make_code
from profile_lookup.clock import CLOCK
from profile_lookup.database.pool import Database
from profile_lookup.database.tables import sign_in_link
from profile_lookup.settings import Settings
from tests.console.browser import Console


def test_the_link_of_the_demo_signs_in_once(console: Console, console_settings: Settings) -> None:
    code = asyncio.run(code_for(console_settings, console.account[0]))
    console.open()
    console.press("Sign out")
    console.open(f"sign-in#code={code}")
    console.wait_for("Who is calling?")
    assert code not in console.browser.current_url
    console.press("Sign out")
    console.open(f"sign-in#code={code}")
    console.wait_for("was used before")
    assert code not in console.browser.current_url


def test_a_link_of_the_demo_that_has_expired_signs_nobody_in(console: Console, console_settings: Settings) -> None:
    code = asyncio.run(code_for(console_settings, console.account[0], expires_at=CLOCK.now()))
    console.browser.delete_all_cookies()
    console.open(f"sign-in#code={code}")
    console.wait_for("has expired")
    assert code not in console.browser.current_url
    assert console.violations() == []
    console.open()
    assert console.path == "sign-in"


async def code_for(settings: Settings, sid: str, expires_at: datetime | None = None) -> str:
    """Make a one-time code, which expires when such codes do unless `expires_at` says when."""
    assert settings.database_url is not None
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        async with database.transaction() as connection:
            code = await make_code(connection, sid)
            if expires_at is not None:
                await connection.execute(update(sign_in_link).values(expires_at=expires_at))
            return code
    finally:
        await database.close()
