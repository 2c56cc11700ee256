"""How the rows of one import are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from profile_lookup.imports.columns.column_mapping import MappedColumn, refuse_mapping
from profile_lookup.imports.files.import_options import ImportOptions
from profile_lookup.imports.files.layout import Layout
from profile_lookup.imports.row_reader import RowReader
from profile_lookup.stores.rules_cache import StoreRules


@dataclass(frozen=True, slots=True)
class RowRules:
    """The mapping of an import's columns, where they are in its file, and the options of the import."""

    mapping: Sequence[MappedColumn]
    layout: Layout
    options: ImportOptions

    def reader(self, store: StoreRules) -> RowReader:
        """Return a reader by the rules of the store.

        Raises `TraitsRefused` if the mapping does not fit the store's traits any more.
        """
        refuse_mapping(store.trait_groups, store.settings, self.mapping)
        return RowReader(store, self.mapping, self.layout.positions, self.options)
