#!/bin/sh
# Lower-casing an internationalized domain name, as everybody does with e-mail addresses, can make it invalid for idna.
#
# Expected: domain names do not depend on case, and a U-label, as idna.decode returns it, is in lower case.
# Seen: Unicode folds Cherokee letters to capitals, so a valid Cherokee U-label is in capitals. str.lower() turns it
# into a label that idna.encode refuses (IDNA 2008), and only uts46=True leads back to the same domain. An e-mail
# address that is lower-cased once more after idna.decode therefore names no domain any more.
#
# It installs idna into a temporary virtual environment and exits with 1 if the behaviour has changed.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
python3 -m venv "$directory/venv"
"$directory/venv/bin/pip" --quiet --disable-pip-version-check install idna==3.20
"$directory/venv/bin/python" - <<'PYTHON'
import sys

import idna

print(f"idna {idna.__version__}, Python {sys.version.split()[0]}")
label = "\u13e3\u13b3\u13a9"  # "Tsalagi", the language's own name


def encoded(text, **options):
    try:
        return idna.encode(text, **options).decode()
    except idna.IDNAError as error:
        return type(error).__name__


seen = [encoded(label), idna.decode(encoded(label)) == label, encoded(label.lower()), encoded(label.lower(), uts46=True)]
print(f"encode({label!a}): {seen[0]}")
print(f"decode gives the label back: {seen[1]}")
print(f"encode({label.lower()!a}), its lower case: {seen[2]}")
print(f"the same with uts46=True: {seen[3]}")
unchanged = seen == ["xn--f9dt7l", True, "InvalidCodepoint", "xn--f9dt7l"]
print("as found" if unchanged else "the behaviour has changed")
sys.exit(not unchanged)
PYTHON
