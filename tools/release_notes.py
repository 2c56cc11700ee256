"""Prints what CHANGELOG.md says about a release: `python3 tools/release_notes.py 0.3.0`.

It fails if that is not the version of pyproject.toml, so that no tag publishes another version than it names.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def release_notes(version: str, changelog: str) -> str:
    """Return the section about a version, without its title. Raises `SystemExit` if there is none or it is empty."""
    found = re.search(rf"^## \[{re.escape(version)}\].*\n((?:(?!## ).*\n)*)", changelog, re.MULTILINE)
    if found is None or not found[1].strip():
        sys.exit(f"CHANGELOG.md has no section about {version}")
    return found[1].strip() + "\n"


if __name__ == "__main__":
    (tag,) = sys.argv[1:]
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if tag != built:
        sys.exit(f"the tag is {tag}, and pyproject.toml says {built}")
    sys.stdout.write(release_notes(tag, (ROOT / "CHANGELOG.md").read_text()))
