"""How well the cells of a column fit the trait that it is mapped to: a column's name may promise something else."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.rules import IdentifierConfig
from profile_lookup.identity.values.built_in_blocked_values import is_placeholder
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity.values.phone_numbers import phone_of_country
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.imports.files.cells import values_of
from profile_lookup.imports.files.csv_records import Record
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Layout
from profile_lookup.stores.rules_cache import StoreRules

SAMPLE_ROWS = 1000
"""The first rows, by which columns are judged."""

_FEW = 5  # cells, which say nothing about a column
_MAX_LINES = 3
_EMAIL_ADDRESS = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_PHONE_NUMBER = re.compile(r"\+[0-9][0-9 ()./-]{6,20}")


@dataclass(slots=True)
class Fit:
    """How many cells of a column hold anything, and how many of these do not fit.

    `id_type`: the identifier type whose values they should hold, but do not, or hold though they should not
    """

    id_type: str
    filled: int = 0
    unfit: int = 0
    first_lines: list[int] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of the cells that fit; 1 if there are none."""
        return 1 - self.unfit / self.filled if self.filled else 1.0

    @property
    def is_unlikely(self) -> bool:
        return self.filled >= _FEW and 2 * self.unfit > self.filled

    def add(self, line: int, *, fits: bool) -> None:
        self.filled += 1
        if not fits:
            self.unfit += 1
            if len(self.first_lines) < _MAX_LINES:
                self.first_lines.append(line)


def column_fits(
    store: StoreRules, mapping: Sequence[MappedColumn], layout: Layout, rows: Iterable[Record], options: ImportOptions
) -> dict[str, Fit]:
    """Return the fit of each mapped column, by these rows.

    Cells of a phone or e-mail column fit if they hold a number or an address; those of others, if they hold neither.
    """
    configs = {column: _config(store, column_trait) for column, column_trait in mapping}
    fits = {column: Fit(config.id_type if config else "") for column, config in configs.items()}
    for line, fields, _ in rows:
        for column, config in configs.items() if fields else ():
            for position in layout.positions[column]:
                cell = fields[position].strip() if fields else ""
                if cell and not is_placeholder(cell):
                    _judge(fits[column], line, cell, config, options.country)
    return fits


def _config(store: StoreRules, trait: tuple[str, str]) -> IdentifierConfig | None:
    group, name = trait
    definition = store.trait_groups[group].traits[name]
    id_type = definition.id_type_promotion
    is_text = definition.data_type == "STRING" and id_type in store.settings.id_types
    return store.settings.config(id_type) if is_text and id_type else None


def _judge(fit: Fit, line: int, cell: str, config: IdentifierConfig | None, country: str | None) -> None:
    if config is None:
        kind = _kind_of_contact(cell)
        fit.id_type = kind or fit.id_type
        fit.add(line, fits=kind is None)
    elif config.normalization in ("email", "phone"):
        fit.add(line, fits=_holds(config, cell, country))
    else:
        fit.add(line, fits=True)


def _kind_of_contact(cell: str) -> str | None:
    if _EMAIL_ADDRESS.fullmatch(cell):
        return "email"
    return "phone" if _PHONE_NUMBER.fullmatch(cell) else None


def _holds(config: IdentifierConfig, cell: str, country: str | None) -> bool:
    try:
        for value in values_of(cell, config.normalization):
            if country and config.normalization == "phone":
                phone_of_country(value, country)
            else:
                normalize(config.normalization, value)
    except ValueRefused:
        return False
    return True
