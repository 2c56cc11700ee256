"""`profile-lookup settings`: a table of all settings."""

import typer

from profile_lookup.limit_settings import LimitSettings
from profile_lookup.settings import PREFIX, Settings


def list_settings() -> None:
    """List all settings, as a table in Markdown."""
    typer.echo("| variable | default | what it is |\n| --- | --- | --- |")
    # The limits come last, though pydantic lists the fields of a base class first.
    fields = sorted(Settings.model_fields.items(), key=lambda item: item[0] in LimitSettings.model_fields)
    for name, field in fields:
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        typer.echo(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
