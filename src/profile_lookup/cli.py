"""The `profile-lookup` command: settings and arguments in, plain lines out, 0 only when all went well."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup import server
from profile_lookup.accounts import queries as accounts
from profile_lookup.accounts.credentials import (
    Credentials,
    Scope,
    digest,
    new_account_sid,
    new_key_sid,
    new_secret,
)
from profile_lookup.database.embedded import EmbeddedPostgresError
from profile_lookup.demo import Demo, ensure_demo
from profile_lookup.errors import ProfileLookupError
from profile_lookup.settings import PREFIX, Settings, SettingsError, load_settings
from profile_lookup.stores import queries as stores
from profile_lookup.stores.wire import StoreRequest
from profile_lookup.web import ids
from profile_lookup.web.logs import configure_logging

app = typer.Typer(
    help="A self-hosted identity lookup service: which customer profile does this phone number name?",
    epilog=f"All settings are environment variables that start with {PREFIX}; `profile-lookup settings` lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
account_commands = typer.Typer(help="Accounts: who may call.", no_args_is_help=True)
key_commands = typer.Typer(help="API keys of an account.", no_args_is_help=True)
store_commands = typer.Typer(help="Stores of an account.", no_args_is_help=True)
app.add_typer(account_commands, name="accounts")
app.add_typer(key_commands, name="keys")
app.add_typer(store_commands, name="stores")

Result = TypeVar("Result")

AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="SID", help="May be left out if there is only one account.")
]


class CommandError(Exception):
    """What was asked for cannot be done. One line for a person."""


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if show_version:
        _say(version("profile-lookup"))
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve.", show_default="1")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo store, and show how to use it.")] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, on the embedded database or on the one that is configured."""
    settings = load_settings(host=host, port=port, workers=workers)
    with (
        suppress(KeyboardInterrupt),  # the way to end it, now or while it starts
        server.listening(settings.host, settings.port) as listener,
        server.database_running(settings) as running,
    ):
        base_url = running.public_url or server.address(*listener.getsockname()[:2])
        made = asyncio.run(_prepare(running, demo=demo))
        _say(f"profile-lookup {version('profile-lookup')} serves on {base_url}")
        _say(f"  Docs page:   {base_url}/docs")
        if made is not None:
            _show(made, base_url)
        server.serve(running, listener)


@app.command()
def migrate() -> None:
    """Bring the database's schema to this version's. Replicas may do so at once."""
    with server.database_running(load_settings()) as settings:
        assert settings.database_url is not None
        server.migrate_now(settings.database_url.get_secret_value())
    _say("The schema is up to date.")


@app.command("demo")
def make_demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what a client needs as one JSON object.")] = False,
) -> None:
    """Make a demo account, key and store with people in it, or find them again, and show how to use them."""
    with server.database_running(load_settings()) as settings:
        made = asyncio.run(_prepare(settings, demo=True))
    base_url = settings.public_url or server.address(settings.host, settings.port)
    assert made is not None
    if as_json:
        _say(json.dumps(made.for_client(base_url)))
    else:
        _show(made, base_url)


@app.command("settings")
def list_settings() -> None:
    """List all settings, as the README's table."""
    _say("| variable | default | what it is |\n| --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        _say(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")


@account_commands.command("create")
def create_account(name: Annotated[str, typer.Argument(help="For people; need not be unique.")]) -> None:
    """Make an account; its SID and auth token are shown this once."""
    sid, token = new_account_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        await accounts.ensure_account(connection, name, Credentials(sid, digest(token)))

    _in_database(create)
    _say(f"Account SID: {sid}\nAuth token:  {token}  (shown this once)")


@key_commands.command("create")
def create_key(
    account: AccountOption = None,
    scope: Annotated[Scope, typer.Option(help="lookup: nothing but Lookup; full: everything.")] = "full",
    name: Annotated[str, typer.Option(help="For people; need not be unique.")] = "",
) -> None:
    """Make an API key; its secret is shown this once."""
    sid, secret = new_key_sid(), new_secret()

    async def create(connection: AsyncConnection) -> None:
        account_id = await _account(connection, account)
        await accounts.add_key(connection, account_id, Credentials(sid, digest(secret)), scope=scope, name=name)

    _in_database(create)
    _say(f"API key: {sid}\nSecret:  {secret}  (shown this once)")


@key_commands.command("list")
def list_keys(account: AccountOption = None) -> None:
    """List an account's API keys: SID, scope, time of creation, name."""

    async def rows(connection: AsyncConnection) -> list[str]:
        found = await accounts.keys_of(connection, await _account(connection, account))
        return [f"{key.sid}  {key.scope:6}  {key.created_at:%Y-%m-%dT%H:%M:%SZ}  {key.name}" for key in found]

    _say_lines(_in_database(rows))


@key_commands.command("revoke")
def revoke_key(sid: Annotated[str, typer.Argument(metavar="SID", help="The API key.")]) -> None:
    """Refuse an API key from now on."""

    async def revoke(connection: AsyncConnection) -> None:
        if not await accounts.remove_key(connection, sid):
            raise CommandError(f"There is no API key {sid}")

    _in_database(revoke)
    _say(f"{sid} is revoked.")


@store_commands.command("create")
def create_store(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and hyphens; unique in the account.")],
    account: AccountOption = None,
) -> None:
    """Make a store, and show its ID."""
    try:
        request = StoreRequest(display_name=name)
    except ValidationError:
        raise CommandError("NAME: expected 1-64 letters, digits and hyphens") from None

    async def create(connection: AsyncConnection) -> UUID:
        return await stores.create(
            connection,
            await _account(connection, account),
            display_name=request.display_name,
            description=None,
            max_stores=load_settings().max_stores,
        )

    _say(ids.store_id(_in_database(create)))


@store_commands.command("list")
def list_stores(account: AccountOption = None) -> None:
    """List an account's stores: ID, status, name."""

    async def rows(connection: AsyncConnection) -> list[str]:
        found = await stores.of_account(connection, await _account(connection, account))
        return [f"{ids.store_id(store.id)}  {store.status}  {store.display_name}" for store in found]

    _say_lines(_in_database(rows))


def main() -> None:
    """What went wrong on purpose is one line and exit code 1; anything else is a defect and shows its traceback."""
    server.end_on_sigterm_as_on_sigint()
    try:
        configure_logging(load_settings().log_level)
        app()
    except (
        CommandError, ProfileLookupError, SettingsError, server.ServerError, EmbeddedPostgresError, OSError,
    ) as error:  # fmt: skip
        sys.exit(f"profile-lookup: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


async def _prepare(settings: Settings, *, demo: bool) -> Demo | None:
    async with server.connected(settings) as database:
        await server.ensure_bootstrap_account(database, settings)
        return await ensure_demo(database, settings) if demo else None


def _in_database(work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
    """One command, one transaction."""

    async def run(settings: Settings) -> Result:
        async with server.connected(settings) as database, database.transaction() as connection:
            return await work(connection)

    with server.database_running(load_settings()) as settings:
        return asyncio.run(run(settings))


async def _account(connection: AsyncConnection, sid: str | None) -> UUID:
    existing = await accounts.all_accounts(connection)
    chosen = [account for account in existing if sid in (None, account.sid)]
    match chosen:
        case [account]:
            account_id: UUID = account.id
            return account_id
        case []:
            raise CommandError(
                f"There is no account {sid}" if sid else "Make one first: profile-lookup accounts create"
            )
        case _:
            known = ", ".join(f"{account.sid} ({account.name})" for account in existing)
            raise CommandError(f"Say which account with --account: {known}")


def _show(demo: Demo, base_url: str) -> None:
    _say(f"  Account SID: {demo.account_sid}   auth token: {demo.auth_token}")
    _say(f"  API key:     {demo.api_key}   secret:     {demo.api_secret}")
    _say(f"  Store:       {demo.store_id}")
    _say(f"Who is calling? Paste this:\n{demo.curl(base_url)}")


def _say_lines(lines: list[str]) -> None:
    for line in lines:
        _say(line)


def _say(text: str) -> None:
    # Flushed: whoever waits for the address on the other end of a pipe shall see it now.
    print(text, flush=True)  # noqa: T201 -- this is what the command is for
