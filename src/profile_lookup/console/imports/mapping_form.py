"""The form that says what the columns of a file hold, and how the file is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row

from profile_lookup.console.forms import Form
from profile_lookup.errors import RequestRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.columns.wire import MAX_NAME
from profile_lookup.imports.dry_runs.file_beginning import FileBeginning
from profile_lookup.imports.files.csv_records import DELIMITERS
from profile_lookup.imports.files.encodings import codec_name
from profile_lookup.imports.files.import_options import ImportOptions, country_code
from profile_lookup.stores.rules_cache import StoreRules

MAX_SAMPLES = 3
MAX_COLUMNS = 200
"""The most columns that the form shows: a select for each of thousands would be megabytes."""
LEFT_OUT = ""
"""The choice that leaves a column out."""


@dataclass(frozen=True, slots=True)
class MappingForm:
    """What a person said. `traits` has the texts of the choices by column; a column that is missing is guessed."""

    traits: Mapping[str, str]
    delimiter: str
    encoding: str
    country: str

    @classmethod
    def typed(cls, form: Form) -> Self:
        traits = dict(zip(form.texts("column"), form.texts("trait"), strict=False))
        return cls(traits, form.text("delimiter"), form.text("encoding"), form.text("country"))

    @classmethod
    def stored(cls, row: Row[Any]) -> Self:
        """Return what is known of a file before anybody said anything."""
        return cls({}, row.delimiter or "", row.encoding or "", row.country or "")

    def named(self, store: StoreRules) -> dict[str, TraitName | None]:
        """Return the chosen trait of each column; None leaves it out. Raises `RequestRefused` for an unknown trait."""
        known = {value_of(trait): trait for group in store.trait_groups.values() for trait in _traits_of(group)}
        if not set(self.traits.values()) <= {LEFT_OUT, *known}:
            raise RequestRefused("trait: this store does not have the trait any more; expected another one")
        return {column: known.get(value) for column, value in self.traits.items()}

    def options(self) -> ImportOptions:
        """Return how the file is written. Raises `RequestRefused`."""
        delimiter, encoding, country = self.delimiter, self.encoding.strip(), self.country.strip()
        if delimiter not in ("", *DELIMITERS):
            raise RequestRefused("delimiter: expected one of the choices")
        if encoding and codec_name(encoding) is None:
            raise RequestRefused("encoding: expected a name such as utf-8, cp1252 or utf-16")
        if country and country_code(country) is None:
            raise RequestRefused("country: expected two letters such as DE (ISO 3166)")
        return ImportOptions(delimiter or None, encoding or None, country_code(country) if country else None)


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of the file. `value` is the choice, and `samples` are the first cells that hold anything."""

    name: str
    value: str
    confidence: float
    is_unclear: bool
    samples: list[str]

    @property
    def is_too_long(self) -> bool:
        """Whether the name is too long for a mapping, so that the column has to be left out."""
        return len(self.name) > MAX_NAME


def value_of(trait: TraitName) -> str:
    """Return the value that stands for a trait in the form. No group's name has a slash."""
    return f"{trait.group}/{trait.name}"


def shown_columns(beginning: FileBeginning) -> list[ShownColumn]:
    """Return the columns of the form, in the file's order. Of very many, those that say nothing may be missing."""
    telling = [each for each in beginning.columns if each.trait or each.name in beginning.unclear]
    shown = {each.name for each in (telling + beginning.columns)[:MAX_COLUMNS]}
    return [
        ShownColumn(
            column.name,
            LEFT_OUT if column.trait is None else value_of(column.trait),
            column.confidence,
            column.name in beginning.unclear,
            _samples(beginning, column.name),
        )
        for column in beginning.columns
        if column.name in shown
    ]


def _samples(beginning: FileBeginning, column: str) -> list[str]:
    places = [place for place, name in enumerate(beginning.header) if name == column]
    cells = (record.fields[place].strip() for record in beginning.records if record.fields for place in places)
    return list(dict.fromkeys(cell for cell in cells if cell))[:MAX_SAMPLES]


def _traits_of(group: Any) -> list[TraitName]:
    return [TraitName(group.name, name) for name in group.traits]
