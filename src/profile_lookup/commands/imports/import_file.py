"""`profile-lookup import`: its arguments and its exit code."""

from pathlib import Path
from typing import Annotated

import typer

from profile_lookup.commands.accounts import AccountOption
from profile_lookup.commands.database import configure, running_database
from profile_lookup.commands.errors import CommandError
from profile_lookup.commands.imports import import_beginning, import_run, import_undo
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.files.encodings import codec_name
from profile_lookup.imports.files.import_options import ImportOptions, country_code
from profile_lookup.imports.progress import applied_rows

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
CancelOption = Annotated[
    str | None,
    typer.Option("--cancel", metavar="mem_import_…", help="End an import where it is. Its rows so far stay."),
]
UndoOption = Annotated[
    str | None,
    typer.Option(
        "--undo", metavar="mem_import_…", help="Undo an import that has ended. First, show what that would do."
    ),
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
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook.", show_default="the first that is not hidden or empty")
    ] = None,
    refused: RefusedOption = None,
    ignored: IgnoredOption = None,
    resume: ResumeOption = None,
    cancel: CancelOption = None,
    undo: UndoOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a row with a bad cell, and exit with 1 if a row was refused.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go through the whole file and say what would come of it. Write nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask whether the mapping is correct, or whether to undo it.")
    ] = False,
) -> None:
    """Import a CSV file or a workbook (.xlsx): each row is resolved like a request to create a profile.

    First it is shown how the file is read, and what would become of its first rows. After Ctrl-C it can be resumed or
    cancelled. An import that has ended can be undone.
    """
    of_import = [each for each in (resume, cancel, undo) if each is not None]
    if not of_import and (file is None or store is None):
        raise typer.BadParameter("expected FILE and --store, or --resume, --cancel or --undo")
    is_described = any((file, store, columns, leave_out, delimiter, encoding, country, sheet, dry_run))
    if len(of_import) > 1 or (of_import and is_described):
        raise typer.BadParameter(
            "expected --resume, --cancel or --undo alone: the import has its own file, store and mapping"
        )
    _refuse_one_file_for_two(file, refused, ignored)

    with running_database(configure()) as settings:
        if cancel is not None:
            import_undo.cancel(settings, account, cancel)
            return
        if undo is not None:
            import_undo.undo(settings, account, undo, confirmed=yes)
            return
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
    if row.status != "COMPLETED" or applied_rows(row) == 0 or (strict and row.refused):
        raise typer.Exit(1)


def _refuse_one_file_for_two(*paths: Path | None) -> None:
    """Raise `CommandError` if two of the paths are of one file: a report would replace the list of customers."""
    files = [path.resolve() for path in paths if path is not None]
    if len(set(files)) < len(files):
        raise CommandError("FILE, --refused, --ignored: expected a file of its own for each")


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
    country = country_code(text)
    if country is None:
        raise CommandError("--country: expected a country by ISO 3166, in two letters, such as DE")
    return country
