#!/usr/bin/env bash
# Faker's people of Vietnam share their e-mail addresses, since all of these are made of the first names John and Jane.
#
# Expected: as many different addresses as for other locales, made of the first names that name() uses.
# Seen: vi_VN has lists of female, male and unisex first names, which name() draws from, but none for first_name().
# That falls back to "John" and "Jane" and tells nobody. E-mail addresses and user names are made of it. Of 1000
# addresses, 554 are different, and first_name() and last_name() make 20 people. de_LI and de_LU have the two first
# names as well. So a test of identity resolution with such data merges strangers. `unique` finds some 1500 addresses,
# and then raises.
#
# It installs Faker into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install faker==40.63.0
"$directory/venv/bin/python" - <<'PYTHON'
import sys

import faker

PEOPLE = 1000
MOST = 600  # different addresses for vi_VN: a Faker of another seed may have some more or less
print(f"Faker {faker.VERSION}, Python {sys.version.split()[0]}, {PEOPLE} people for each locale")
unchanged = True
for locale in ["vi_VN", "de_LI", "de_LU", "en_US"]:
    people = faker.Faker(locale)
    people.seed_instance(1)
    first_names = sorted({people.first_name() for _ in range(PEOPLE)})
    names = {people.name() for _ in range(PEOPLE)}
    addresses = {people.email() for _ in range(PEOPLE)}
    shown = " and ".join(first_names) if len(first_names) == 2 else len(first_names)
    print(f"{locale}: first names {shown}, different names {len(names)}, different addresses {len(addresses)}")
    unchanged &= (first_names == ["Jane", "John"]) == (locale != "en_US")
    unchanged &= locale != "vi_VN" or len(addresses) < MOST
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
