"""`profile-lookup import`: its arguments and its exit code."""

from pathlib import Path
from typing import Annotated

import typer

from profile_lookup.commands import import_beginning, import_run
from profile_lookup.commands.accounts import AccountOption
from profile_lookup.commands.database import configure, running_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.values.phone_numbers import COUNTRIES
from profile_lookup.imports.files.encodings import codec_name
from profile_lookup.imports.files.import_options import ImportOptions

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A CSV file, or a workbook (.xlsx), whose first line names the columns.",
        exists=True,
        dir_okay=False,
    ),
]
StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="mem_store_…", help="The store that the profiles are for.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=GROUP.TRAIT",
        help="The trait of a column, if its name does not say it; COLUMN= leaves the column out. May be repeated.",
    ),
]
DelimiterOption = Annotated[
    str | None,
    typer.Option(help="One character, or `tab`.", show_default="the one of , ; | and tab that fits the header best"),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(help="The encoding of a file that is not UTF-8, such as cp1252 for a CSV file of Excel."),
]
CountryOption = Annotated[
    str | None,
    typer.Option(metavar="DE", help="The country of phone numbers that are written without + (ISO 3166)."),
]
LeaveOutOption = Annotated[
    list[str] | None,
    typer.Option("--leave-out", metavar="COLUMN", help="A column that is not imported. May be repeated."),
]
IgnoredOption = Annotated[
    Path | None, typer.Option("--ignored", metavar="FILE", help="Write there which cells were ignored, and why.")
]
RefusedOption = Annotated[
    Path | None, typer.Option("--refused", metavar="FILE", help="Write there which rows were refused, and why.")
]
ResumeOption = Annotated[
    str | None, typer.Option("--resume", metavar="mem_import_…", help="Continue an import, or see how it ended.")
]


def import_file(
    file: FileArgument = None,
    store: StoreOption = None,
    account: AccountOption = None,
    columns: MapOption = None,
    leave_out: LeaveOutOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    country: CountryOption = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook.", show_default="the first one")] = None,
    refused: RefusedOption = None,
    ignored: IgnoredOption = None,
    resume: ResumeOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a row with a bad cell, and exit with 1 if a row was refused.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go through the whole file and say what would come of it. Write nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether the mapping is correct.")] = False,
) -> None:
    """Import a CSV file or a workbook (.xlsx): each row is resolved like a request to create a profile.

    First it is shown how the file is read, and what would become of its first rows. After Ctrl-C it can be resumed.
    """
    if resume is None and (file is None or store is None):
        raise typer.BadParameter("expected FILE and --store, or --resume")
    own = (file, store, columns, leave_out, delimiter, encoding, country, sheet, dry_run)
    if resume is not None and any(own):
        raise typer.BadParameter("expected --resume alone: the import has its own file, store and mapping")

    with running_database(configure()) as settings:
        if resume is not None:
            watched = import_run.find(settings, account, resume)
        else:
            assert file is not None
            assert store is not None
            choices = import_beginning.Choices(
                named=dict(_parse_map(each) for each in columns or [])
                | {name.strip(): None for name in leave_out or []},
                options=ImportOptions(
                    delimiter=delimiter and _parse_delimiter(delimiter),
                    encoding=encoding and _parse_encoding(encoding),
                    country=country and _parse_country(country),
                    is_strict=strict,
                ),
                sheet=sheet,
                confirmed=yes,
                is_dry_run=dry_run,
            )
            watched = import_beginning.begin(settings, file, store, account, choices)
        row = import_run.watch(settings, watched)
        import_run.report(settings, row, refused, ignored)
    is_nothing_applied = row.created + row.updated + row.merged == 0
    if row.status != "COMPLETED" or is_nothing_applied or (strict and row.refused):
        raise typer.Exit(1)


def _parse_map(text: str) -> tuple[str, TraitName | None]:
    column, separator, trait = text.rpartition("=")
    group, _, name = trait.partition(".")
    if not (separator and column.strip()) or (trait and not (group and name)):
        raise CommandError("--map: expected COLUMN=GROUP.TRAIT, or COLUMN= to leave it out")
    return column.strip(), TraitName(group, name) if trait else None


def _parse_delimiter(text: str) -> str:
    delimiter = "\t" if text in ("tab", "\\t") else text
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise CommandError("--delimiter: expected one character, or `tab`")
    return delimiter


def _parse_encoding(text: str) -> str:
    encoding = codec_name(text)
    if encoding is None:
        raise CommandError("--encoding: expected one that is known, such as utf-8, cp1252 or utf-16")
    return encoding


def _parse_country(text: str) -> str:
    country = text.strip().upper()
    if country not in COUNTRIES:
        raise CommandError("--country: expected a country by ISO 3166, in two letters, such as DE")
    return country
