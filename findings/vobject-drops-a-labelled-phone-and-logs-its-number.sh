#!/bin/sh
# vobject refuses a vCard 2.1 line whose label has parentheses; told to skip unreadable lines, it drops the phone number
# and writes it into the log.
#
# The label `X-(Home)` is a valid parameter: vCard 2.1 defines a word as printable ASCII without []=:., and space. Phones
# make such labels of the names that people give their numbers.
# Expected: both numbers of the card, or at least no personal data in a log.
# Seen: the second number alone, and a record at level ERROR that quotes the whole line. So a reader that skips what it
# cannot read loses phone numbers with exit code 0, and its log holds them. The product reads no vCards: see decision
# record 0050.
#
# It installs vobject into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install vobject==0.9.9
"$directory/venv/bin/python" - <<'PYTHON'
import logging
import sys
from importlib.metadata import version

import vobject

print(f"vobject {version('vobject')}, Python {sys.version.split()[0]}")
records = []


class Keeper(logging.Handler):
    def emit(self, record):
        records.append((record.levelname, record.getMessage()))


logger = logging.getLogger("vobject")
logger.handlers, logger.propagate = [Keeper()], False
logging.getLogger("vobject.base").handlers = []
lines = [
    "BEGIN:VCARD", "VERSION:2.1", "N:Mock;Alyssa;;;", "TEL;PREF;X-(Home):+13175550001", "TEL;WORK:+13175550002",
    "END:VCARD", "",
]
(card,) = vobject.readComponents("\r\n".join(lines), ignoreUnreadable=True)
numbers = [each.value for each in card.contents["tel"]]
is_logged = [level for level, message in records if "+13175550001" in message]
print(f"numbers: {numbers}")
print(f"levels of the records that hold the other number: {is_logged}")
unchanged = numbers == ["+13175550002"] and is_logged == ["ERROR"]
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
