#!/usr/bin/env bash
# jellyfish's match rating comparison matches different people if their names have accents or are Chinese.
#
# The match rating approach accepts two names if they are similar enough for their lengths: the longer their codes are
# together, the less similar they must be.
# Expected: a letter counts as one. What is no match for Umit and Ozge is none for Ümit and Özge.
# Seen: the lengths are those in UTF-8, so an accented letter counts twice and a Chinese one three times. The bar is too
# low then: Ümit and Özge match, as do Łukasz and Łucja, and 李娜 and 王芳, who have no letter in common. The result is
# True, as for equal names. match_rating_codex() counts in the same way: of a long code it keeps the first three and the
# last three letters, and so repeats letters of Иван, whose code has only four. Whoever joins records by it joins
# strangers, and sees nothing of it in tests with English names. The product compares names for equality alone.
#
# It installs jellyfish into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -euo pipefail
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install jellyfish==1.3.0
"$directory/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import jellyfish

SEEN = [
    ("Umit", "Ozge", False),
    ("Ümit", "Özge", True),
    ("Lukasz", "Lucja", False),
    ("Łukasz", "Łucja", True),
    ("Rene", "Noel", False),
    ("René", "Noël", True),
    ("Ed", "Al", False),
    ("李娜", "王芳", True),
]
print(f"jellyfish {version('jellyfish')}, Python {sys.version.split()[0]}")
unchanged = True
for first, second, seen in SEEN:
    is_match = jellyfish.match_rating_comparison(first, second)
    similarity = jellyfish.jaro_winkler_similarity(first, second)
    print(f"{first} and {second}: match rating {is_match}, Jaro-Winkler similarity {similarity:.2f}")
    unchanged &= is_match is seen
code = jellyfish.match_rating_codex("Иван")
print(f"the code of Иван: {code}")
unchanged &= code == "ИВАВАН"
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
