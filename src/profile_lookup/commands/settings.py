"""`profile-lookup settings` prints tables of all settings. Every command warns of variables that only look like one."""

import logging
import os
import re
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from profile_lookup.ephemeral_settings import EphemeralSettings
from profile_lookup.limit_settings import LimitSettings
from profile_lookup.logs import configure_logging
from profile_lookup.settings import PREFIX, Settings, load_settings

_CREDENTIALS = re.compile("//[^/@]*@")

log = logging.getLogger(__name__)


def list_settings(
    in_force: Annotated[bool, typer.Option("--in-force", help="Show the value of each, without secrets.")] = False,
) -> None:
    """List all settings, as a table in Markdown."""
    if not in_force:
        _list_all()
        return
    settings = load_settings()
    configure_logging(settings.log_level)
    warn_of_unknown_variables()
    typer.echo("| variable | value | from |\n| --- | --- | --- |")
    for name in _names():
        origin = "environment" if name in settings.model_fields_set else "default"
        typer.echo(f"| `{_variable(name)}` | {_shown(getattr(settings, name))} | {origin} |")


def _list_all() -> None:
    typer.echo("| variable | default | what it is |\n| --- | --- | --- |")
    for name in _names():
        field = Settings.model_fields[name]
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        typer.echo(f"| `{_variable(name)}` | {default} | {field.description} |")


def warn_of_unknown_variables() -> None:
    """Log a warning for each variable of the environment that has our prefix but is no setting."""
    known = [name.upper() for name in _names()]
    for variable in sorted(os.environ):
        name = variable.removeprefix(PREFIX)
        if variable.startswith(PREFIX) and name not in known:
            likely = get_close_matches(name, known, n=1)
            remark = f": did you mean {PREFIX}{likely[0]}?" if likely else "; `profile-lookup settings` lists them"
            log.warning("%s is no setting%s", variable, remark)


def _names() -> list[str]:
    """Return the names of all settings. Those of tests and the limits come last; pydantic lists base classes first."""
    return sorted(
        Settings.model_fields,
        key=lambda name: (name in LimitSettings.model_fields, name in EphemeralSettings.model_fields),
    )


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _shown(value: Any) -> str:
    """Return a value as text. pydantic writes a secret as asterisks, and so do we the credentials in a URL."""
    return "" if value is None else f"`{_CREDENTIALS.sub('//**********@', str(value))}`"
