"""The JSON body of a mapped column."""

from typing import Annotated, Self

from pydantic import Field

from profile_lookup.identity.profile import TraitName
from profile_lookup.imports.columns.column_mapping import MappedColumn
from profile_lookup.web.wire import Storable, WireModel

MAX_NAME = 64
Name = Annotated[str, Field(max_length=MAX_NAME), Storable]


class ColumnMapping(WireModel):
    column_name: Name = Field(description="The name in the header of the file.")
    trait_group: Name
    trait_name: Name

    def to_domain(self) -> MappedColumn:
        return MappedColumn(self.column_name.strip(), TraitName(self.trait_group, self.trait_name))

    @classmethod
    def of_domain(cls, mapped: MappedColumn) -> Self:
        return cls(columnName=mapped.column, traitGroup=mapped.trait.group, traitName=mapped.trait.name)
