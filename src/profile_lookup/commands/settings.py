"""`profile-lookup settings`: a table of all settings."""

import typer

from profile_lookup.settings import PREFIX, Settings


def list_settings() -> None:
    """List all settings, as a table in Markdown."""
    typer.echo("| variable | default | what it is |\n| --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default = "" if field.default_factory or field.default is None else f"`{field.default}`"
        typer.echo(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
