"""`profile-lookup serve`; and `demo`, which makes the store that `serve --demo` makes."""

import asyncio
import json
import logging
from importlib.metadata import version
from typing import Annotated

import typer

from profile_lookup.accounts.credentials import Credentials, digest, is_sent_by_all_sdks
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.commands.database import configure, open_database, running_database
from profile_lookup.commands.demo import Demo, ensure_demo
from profile_lookup.database.pool import Database
from profile_lookup.garbage_collection import collector_paused
from profile_lookup.serving.listener import address, listening
from profile_lookup.settings import PREFIX, Settings

log = logging.getLogger(__name__)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve.", show_default="1")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo store, and print how to use it.")] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, with the embedded database or the one that the settings name."""
    settings = configure(host=host, port=port, workers=workers)
    with collector_paused():
        from profile_lookup.serving import processes  # noqa: PLC0415 -- `demo`, in this module, needs no routes

    with listening(settings.host, settings.port) as listener, running_database(settings) as running:
        base_url = running.public_url or address(*listener.getsockname()[:2])
        demo_store = asyncio.run(_ensure_start_data(running, with_demo=demo))

        def announce() -> None:
            typer.echo(f"profile-lookup {version('profile-lookup')} serves on {base_url}")
            typer.echo(f"  Docs page:   {demo_store.docs_page(base_url) if demo_store else f'{base_url}/docs'}")
            if demo_store is not None:
                _show(demo_store, base_url, settings)

        processes.serve(running, listener, announce)


def make_demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what a client needs as one JSON object.")] = False,
) -> None:
    """Make a demo account, key and store with people, unless they are there already, and print how to use them."""
    with running_database(configure()) as settings:
        demo = asyncio.run(_ensure_start_data(settings, with_demo=True))
    base_url = settings.public_url or address(settings.host, settings.port)
    assert demo is not None
    if as_json:
        typer.echo(json.dumps(demo.for_client(base_url)))
    else:
        _show(demo, base_url, settings)


async def _ensure_start_data(settings: Settings, *, with_demo: bool) -> Demo | None:
    async with open_database(settings) as database:
        await _ensure_bootstrap_account(database, settings)
        return await ensure_demo(database, settings) if with_demo else None


async def _ensure_bootstrap_account(database: Database, settings: Settings) -> None:
    if settings.bootstrap_account_sid is None or settings.bootstrap_auth_token is None:
        return
    secret = settings.bootstrap_auth_token.get_secret_value()
    if not is_sent_by_all_sdks(secret):
        log.warning("%sBOOTSTRAP_AUTH_TOKEN is not letters and digits only: the Go SDK cannot send it", PREFIX)
    token = Credentials(settings.bootstrap_account_sid, digest(secret))
    async with database.transaction() as connection:
        await ensure_account(connection, "bootstrap", token)


def _show(demo: Demo, base_url: str, settings: Settings) -> None:
    # The secret of a setting is not printed, since a container's log may keep what is.
    token = demo.auth_token if settings.bootstrap_auth_token is None else "(the one that you set)"
    typer.echo(f"  Account SID: {demo.account_sid}   auth token: {token}")
    typer.echo(f"  API key:     {demo.api_key}   secret:     {demo.api_secret}")
    typer.echo(f"  Store:       {demo.store_id}")
    typer.echo(f"Who is calling? Paste this:\n{demo.curl(base_url)}")
