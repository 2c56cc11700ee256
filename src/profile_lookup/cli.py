"""The `profile-lookup` command: all that it can be told, in one list; its exit code is 0 only when all went well."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from profile_lookup.commands.accounts import account_commands, key_commands
from profile_lookup.commands.archives import export_store, restore_store
from profile_lookup.commands.database import migrate
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.import_file import import_file
from profile_lookup.commands.serve import make_demo, serve
from profile_lookup.commands.stores import store_commands
from profile_lookup.commands.worker import worker
from profile_lookup.database.embedded.server import EmbeddedPostgresError
from profile_lookup.errors import ProfileLookupError
from profile_lookup.serving.listener import CannotListen
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
app.command("serve")(serve)
app.command("worker")(worker)
app.command("migrate")(migrate)
app.command("demo")(make_demo)


@app.callback(invoke_without_command=True)
def _options(
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if show_version:
        typer.echo(version("profile-lookup"))
        raise typer.Exit


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
        CommandError, ProfileLookupError, SettingsError, CannotListen, EmbeddedPostgresError, OSError,
    ) as error:  # fmt: skip
        sys.exit(f"profile-lookup: {error}")
