"""International numbers of which libphonenumber's metadata say at once that parsing them would change nothing.

The rules in `phone_numbers.py` return the same, in ten times the time (tests/identity/test_phone_normalization.py).
"""

import re
from functools import cache

import phonenumbers

from profile_lookup.identity.values.renumbering import may_be_renumbered

_LENGTHS_OF_CODES = range(1, 4)


def is_unchanged_number(digits: str) -> bool:
    """Return whether the ASCII digits, with a + before them, are a possible number in E.164 without any prefix."""
    if not digits or digits[0] == "0":
        return False
    for length in _LENGTHS_OF_CODES:
        code = int(digits[:length])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            form = _form_of_unchanged(code)
            return form.fullmatch(digits, length) is not None and not may_be_renumbered(code, f"+{digits}")
    return False


@cache
def _form_of_unchanged(country_code: int) -> re.Pattern[str]:
    """Return the form of the digits after the country code: a possible length, and no national prefix to drop."""
    region = phonenumbers.region_code_for_country_code(country_code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    assert metadata is not None
    assert metadata.general_desc is not None
    prefix = metadata.national_prefix_for_parsing
    lengths = "|".join(f"[0-9]{{{length}}}" for length in metadata.general_desc.possible_length)
    return re.compile(f"(?!{prefix})(?:{lengths})" if prefix else f"(?:{lengths})")
