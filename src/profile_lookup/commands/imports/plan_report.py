"""What `profile-lookup import` prints of a file before it is imported: its columns, and its first rows."""

from collections.abc import Iterator, Sequence

from profile_lookup.commands.imports.import_plan import Plan
from profile_lookup.commands.imports.import_report import print_table, printable, say, unlikely
from profile_lookup.imports.columns.foreign_numbers import ForeignNumbers
from profile_lookup.imports.dry_runs.first_rows import PreviewedRow
from profile_lookup.imports.files.workbook import ReadSheet


def show_sheet(sheet: ReadSheet) -> None:
    """Print which sheet of a workbook is imported, if it has several."""
    if sheet.others:
        say(f'The sheet "{sheet.name}" is imported. The workbook also has {", ".join(sheet.others)}: see --sheet.')


def show_plan(plan: Plan) -> None:
    """Print the trait of each column, also of the columns that are left out, and what is unclear about the file."""
    traits = {each.column: str(each.trait) for each in plan.mapping}
    print_table(("column", "trait"), [(printable(each), traits.get(each, "(left out)")) for each in plan.header])
    if plan.skipped_lines:
        say(f"The names of the columns stand in line {plan.layout.header_line}; what is above them is skipped.")
    for column in plan.unclear_columns:
        say(f"{printable(column)} is left out, but seems to hold phone numbers or e-mail addresses.")
    for column, fit in plan.unlikely_columns.items():
        say(unlikely(column, traits[column], fit.unfit, fit.first_lines))
    for warning in _foreign_numbers(plan.foreign):
        say(warning)


def _foreign_numbers(numbers: ForeignNumbers) -> Iterator[str]:
    country = numbers.likely_country()
    option = f"--country {country}" if country else "by its code, for example --country DE"
    advice = f"If all numbers without + are from one country, name it: {option}"
    of_first = f"of the first {numbers.numbers:,} phone numbers have no +"
    if numbers.are_many(numbers.foreign):
        yield (
            f"{numbers.foreign:,} {of_first} and would be read as numbers of the USA, though the country or the e-mail "
            f"address beside them names another country. {advice}"
        )
    if numbers.are_many(numbers.unread):
        yield (
            f"{numbers.unread:,} {of_first} and would be ignored, since nothing says of which country they are. "
            f"{advice}"
        )


def show_preview(rows: Sequence[PreviewedRow]) -> None:
    """Print what would become of the first rows, without their values."""
    if rows:
        say("What would become of the first rows:")
        print_table(
            ("line", "outcome", "remarks"), [(f"{row.line:,}", row.outcome, "; ".join(row.remarks)) for row in rows]
        )
