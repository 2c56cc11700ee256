"""The `profile-lookup` command: the list of its commands, and how each of them ends."""

import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
from typer.main import get_group

from profile_lookup.errors import OperatorError, ProfileLookupError
from profile_lookup.garbage_collection import collector_paused

COMMANDS = {
    "export": "archives.export_store",
    "restore": "archives.restore_store",
    "import": "imports.import_file.import_file",
    "explain": "explain.explain",
    "split": "split.split",
    "serve": "serve.serve",
    "worker": "worker.worker",
    "migrate": "database.migrate",
    "backup": "backup.backup",
    "distribute": "distribute.distribute",
    "demo": "serve.make_demo",
    "settings": "settings.list_settings",
    "accounts": "accounts.account_commands",
    "keys": "keys.key_commands",
    "signing-keys": "signing_keys.signing_key_commands",
    "stores": "stores.store_commands",
}
"""Where in `profile_lookup.commands` each command is defined: a function, or a `Typer` that has commands of its own."""


class _LazyCommands(Mapping[str, Any]):
    """The commands by name. Looking one up imports its module, so that no command waits for the modules of another."""

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = COMMANDS[name].rpartition(".")
        with collector_paused():
            command = getattr(import_module(f"profile_lookup.commands.{module}"), attribute)
        parent = typer.Typer()
        if isinstance(command, typer.Typer):
            parent.add_typer(command, name=name)
        else:
            parent.command(name)(command)
        return get_group(parent).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _LazyGroup(TyperGroup):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast("MutableMapping[str, Any]", _LazyCommands())  # Typer only reads it


app = typer.Typer(
    cls=_LazyGroup,
    help="A self-hosted identity lookup service: which customer profile does this phone number name?",
    epilog="All settings are environment variables that start with PROFILE_LOOKUP_; "
    "`profile-lookup settings` lists them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("profile-lookup"))
        raise typer.Exit


@app.callback()
def _options(
    # Eager: it ends the command before Typer loads pydantic for the other options.
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command. What is expected to go wrong ends it with one line and exit code 1.

    Any other exception is a defect, and shows its traceback.
    """
    code: str | int = 0
    try:
        _run()
    except BrokenPipeError:  # whoever read the output has ended, as `| head` does
        code = 1
    except (OperatorError, ProfileLookupError) as error:
        code = f"profile-lookup: {error}"
    except OSError as error:
        code = f"profile-lookup: {_described(error)}"
    _drop_unwritable_output()
    sys.exit(code)


def _run() -> None:
    try:
        app(prog_name="profile-lookup")  # the same name when it is started as a module, as run.py does
    except SystemExit:  # Typer raises it also after a success
        _flush_output()
        raise


def _flush_output() -> None:
    if sys.stdout is not None:  # it is None when the caller closed it
        sys.stdout.flush()


def _drop_unwritable_output() -> None:
    """Discard output that cannot be written. The interpreter would try again at its end, and show a traceback."""
    try:
        _flush_output()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _described(error: OSError) -> str:
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
