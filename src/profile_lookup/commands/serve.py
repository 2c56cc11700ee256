"""`profile-lookup serve`; and `demo`, which makes something to be served, as `serve --demo` does."""

import asyncio
import json
from importlib.metadata import version
from typing import Annotated

import typer

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.commands.database import configured, connected, database_running
from profile_lookup.commands.demo import Demo, ensure_demo
from profile_lookup.database.pool import Database
from profile_lookup.serving.listener import address, listening
from profile_lookup.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve.", show_default="1")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo store, and show how to use it.")] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, on the embedded database or on the one that is configured."""
    settings = configured(host=host, port=port, workers=workers)
    from profile_lookup.serving import processes  # noqa: PLC0415 -- no other command needs to load all the routes

    with listening(settings.host, settings.port) as listener, database_running(settings) as running:
        base_url = running.public_url or address(*listener.getsockname()[:2])
        made = asyncio.run(_prepare(running, demo=demo))

        def announce() -> None:
            typer.echo(f"profile-lookup {version('profile-lookup')} serves on {base_url}")
            typer.echo(f"  Docs page:   {base_url}/docs")
            if made is not None:
                _show(made, base_url, settings)

        processes.serve(running, listener, announce)


def make_demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what a client needs as one JSON object.")] = False,
) -> None:
    """Make a demo account, key and store with people in it, or find them again, and show how to use them."""
    with database_running(configured()) as settings:
        made = asyncio.run(_prepare(settings, demo=True))
    base_url = settings.public_url or address(settings.host, settings.port)
    assert made is not None
    if as_json:
        typer.echo(json.dumps(made.for_client(base_url)))
    else:
        _show(made, base_url, settings)


async def _prepare(settings: Settings, *, demo: bool) -> Demo | None:
    async with connected(settings) as database:
        await _ensure_bootstrap_account(database, settings)
        return await ensure_demo(database, settings) if demo else None


async def _ensure_bootstrap_account(database: Database, settings: Settings) -> None:
    if settings.bootstrap_account_sid is None or settings.bootstrap_auth_token is None:
        return
    token = Credentials(settings.bootstrap_account_sid, digest(settings.bootstrap_auth_token.get_secret_value()))
    async with database.transaction() as connection:
        await ensure_account(connection, "bootstrap", token)


def _show(demo: Demo, base_url: str, settings: Settings) -> None:
    # Only the demo's own secrets: what is printed may stay in a container's log.
    token = demo.auth_token if settings.bootstrap_auth_token is None else "(as you set it)"
    typer.echo(f"  Account SID: {demo.account_sid}   auth token: {token}")
    typer.echo(f"  API key:     {demo.api_key}   secret:     {demo.api_secret}")
    typer.echo(f"  Store:       {demo.store_id}")
    typer.echo(f"Who is calling? Paste this:\n{demo.curl(base_url)}")
