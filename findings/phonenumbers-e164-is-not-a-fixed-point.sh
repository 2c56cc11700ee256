#!/bin/sh
# phonenumbers formats a number in E.164 that it then reads as another number.
#
# Expected: parsing what format_number(…, E164) returned gives the same number.
# Seen: of a national prefix that is written twice after the country code ("(0)" and a leading 0), each parse drops one.
# The first result counts as possible, the second is valid and somebody's. Who stores the first and normalizes the
# stored value again has two values for one person. 8.13.30 and 9.0.42 do the same, and so do many other countries.
#
# It installs phonenumbers into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install phonenumbers==9.0.43
"$directory/venv/bin/python" - <<'PYTHON'
import sys

import phonenumbers
from phonenumbers import PhoneNumberFormat, format_number, is_possible_number, is_valid_number, parse

print(f"phonenumbers {phonenumbers.__version__}, Python {sys.version.split()[0]}")
SEEN = {
    "+971 (0)050 123 4567": ("+9710501234567", "+971501234567"),
    "+49 (0)01512 3456789": ("+49015123456789", "+4915123456789"),
}
unchanged = True
for written, seen in SEEN.items():
    first = parse(written)
    once = format_number(first, PhoneNumberFormat.E164)
    second = parse(once)
    twice = format_number(second, PhoneNumberFormat.E164)
    print(f"{written!r} is {once}, possible: {is_possible_number(first)}, valid: {is_valid_number(first)}")
    print(f"  and {once!r} is {twice}, possible: {is_possible_number(second)}, valid: {is_valid_number(second)}")
    unchanged &= (once, twice) == seen
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
