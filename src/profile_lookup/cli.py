"""The `profile-lookup` command: settings and arguments in, plain lines out, 0 only when all went well."""

import asyncio
import json
import sys
from importlib.metadata import version
from typing import Annotated

import typer
import uvloop

from profile_lookup import server
from profile_lookup.administration import CommandError, account_commands, key_commands, store_commands
from profile_lookup.archives import export_store, restore_store
from profile_lookup.database.embedded import EmbeddedPostgresError
from profile_lookup.demo import Demo, ensure_demo
from profile_lookup.errors import ProfileLookupError
from profile_lookup.import_command import import_file
from profile_lookup.serving.listening import CannotListen, address, listening
from profile_lookup.serving.worker_process import end_with_parent
from profile_lookup.settings import PREFIX, Settings, SettingsError

app = typer.Typer(
    help="A self-hosted identity lookup service: which customer profile does this phone number name?",
    epilog=f"All settings are environment variables that start with {PREFIX}; `profile-lookup settings` lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(account_commands, name="accounts")
app.add_typer(key_commands, name="keys")
app.add_typer(store_commands, name="stores")
app.command("export")(export_store)
app.command("restore")(restore_store)
app.command("import")(import_file)


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if show_version:
        typer.echo(version("profile-lookup"))
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve.", show_default="1")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo store, and show how to use it.")] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, on the embedded database or on the one that is configured."""
    settings = server.configured(host=host, port=port, workers=workers)
    from profile_lookup.serving import processes  # noqa: PLC0415 -- no other command needs to load all the routes

    with (
        listening(settings.host, settings.port) as listener,
        server.database_running(settings) as running,
    ):
        base_url = running.public_url or address(*listener.getsockname()[:2])
        made = asyncio.run(_prepare(running, demo=demo))

        def announce() -> None:
            typer.echo(f"profile-lookup {version('profile-lookup')} serves on {base_url}")
            typer.echo(f"  Docs page:   {base_url}/docs")
            if made is not None:
                _show(made, base_url, settings)

        processes.serve(running, listener, announce)


@app.command()
def worker(
    beside: Annotated[bool, typer.Option("--beside", hidden=True, help="End with the process that serves.")] = False,
) -> None:
    """Work on operations that take long, until Ctrl-C or SIGTERM; `serve` starts one, unless it is told not to."""
    if beside:
        end_with_parent()
    with server.database_running(server.configured()) as settings:
        uvloop.run(server.work(settings, lambda: typer.echo("profile-lookup works on operations")))


@app.command()
def migrate() -> None:
    """Bring the database's schema to this version's. Replicas may do so at once."""
    with server.database_running(server.configured()) as settings:
        assert settings.database_url is not None
        server.migrate_now(settings.database_url.get_secret_value())
    typer.echo("The schema is up to date.")


@app.command("demo")
def make_demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what a client needs as one JSON object.")] = False,
) -> None:
    """Make a demo account, key and store with people in it, or find them again, and show how to use them."""
    with server.database_running(server.configured()) as settings:
        made = asyncio.run(_prepare(settings, demo=True))
    base_url = settings.public_url or address(settings.host, settings.port)
    assert made is not None
    if as_json:
        typer.echo(json.dumps(made.for_client(base_url)))
    else:
        _show(made, base_url, settings)


@app.command("settings")
def list_settings() -> None:
    """List all settings, as the README's table."""
    typer.echo("| variable | default | what it is |\n| --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        typer.echo(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")


def main() -> None:
    """What went wrong on purpose is one line and exit code 1; anything else is a defect and shows its traceback."""
    try:
        app(prog_name="profile-lookup")  # also when started as a module, as run.py does
    except (
        CommandError, ProfileLookupError, SettingsError, server.ServerError, CannotListen, EmbeddedPostgresError,
        OSError,
    ) as error:  # fmt: skip
        sys.exit(f"profile-lookup: {error}")


async def _prepare(settings: Settings, *, demo: bool) -> Demo | None:
    async with server.connected(settings) as database:
        await server.ensure_bootstrap_account(database, settings)
        return await ensure_demo(database, settings) if demo else None


def _show(demo: Demo, base_url: str, settings: Settings) -> None:
    # Only the demo's own secrets: what is printed may stay in a container's log.
    token = demo.auth_token if settings.bootstrap_auth_token is None else "(as you set it)"
    typer.echo(f"  Account SID: {demo.account_sid}   auth token: {token}")
    typer.echo(f"  API key:     {demo.api_key}   secret:     {demo.api_secret}")
    typer.echo(f"  Store:       {demo.store_id}")
    typer.echo(f"Who is calling? Paste this:\n{demo.curl(base_url)}")
