"""What all tables have in common."""

from sqlalchemy import Column, DateTime, MetaData

from profile_lookup.database.naming_convention import NAMING_CONVENTION

metadata = MetaData(naming_convention=NAMING_CONVENTION)


def time_column(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)
