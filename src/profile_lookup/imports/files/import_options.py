"""What a caller says about the file of an import."""

from dataclasses import dataclass

from profile_lookup.identity.values.phone_numbers import COUNTRIES


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How the file is written, and how its rows are read.

    - `delimiter`, `encoding`: None where the file itself must say it
    - `country`: that of phone numbers without + (ISO 3166); None reads them by the usual rules
    - `is_strict`: whether a bad cell refuses its row
    """

    delimiter: str | None = None
    encoding: str | None = None
    country: str | None = None
    is_strict: bool = False


def country_code(name: str) -> str | None:
    """Return the country with this code (ISO 3166) in any case, or None if it has no phone numbers. UK means GB."""
    code = name.strip().upper()
    code = "GB" if code == "UK" else code
    return code if code in COUNTRIES else None
