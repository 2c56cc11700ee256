"""How the installed release of phonenumbers reads numbers: examples of all countries, and those of plans that ended.

`answers.tsv` holds the answers of the locked release, and `changes.tsv` those that differ from two older releases.
After an update, `python3 run.py phones` writes both, and their diff shows what the update changes (CONTRIBUTING.md).
Run as a module, this file prints the answers; so an older release, in a process of its own, answers as well.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from profile_lookup.errors import ValueRefused
from profile_lookup.identity.values.normalization import normalize
from profile_lookup.identity.values.renumbering import RENUMBERINGS
from tests.releases.older import ROOT, environment_with, install

ANSWERS, CHANGES = (Path(__file__).with_name(name) for name in ("answers.tsv", "changes.tsv"))
BEFORE_2024 = "8.13.30"
"""The release before the new plans of Benin and Nigeria: with it, the comparison shows differences that we know."""

FORMATS = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)

Answers = Mapping[str, str]
"""Of each value the number in E.164, or why it is refused."""


class ReleaseAnswers(NamedTuple):
    release: str
    answers: Answers


class ChangedAnswer(NamedTuple):
    release: str
    value: str
    before: str
    today: str


def answers_today(values: Iterable[str]) -> Answers:
    return {value: _answer(value) for value in values}


def example_values() -> Iterator[str]:
    """Yield the example numbers of all regions and types as they are usually written, and those of the renumberings."""
    for number in _example_numbers():
        for number_format in FORMATS:
            yield phonenumbers.format_number(number, number_format)
    for renumbering in RENUMBERINGS:
        for old, new in renumbering.examples.items():
            yield from (old, new)


def committed_answers() -> ReleaseAnswers:
    return parsed_answers(ANSWERS.read_text(encoding="utf-8"))


def committed_changes() -> list[ChangedAnswer]:
    return [ChangedAnswer(*line.split("\t")) for line in CHANGES.read_text(encoding="utf-8").splitlines()[1:]]


def compared_releases() -> list[str]:
    """Return the older releases of `changes.tsv`, which its first line names. The last is the one before the locked."""
    return CHANGES.read_text(encoding="utf-8").partition("\n")[0].split()[1:]


def parsed_answers(table: str) -> ReleaseAnswers:
    first, *lines = table.splitlines()
    return ReleaseAnswers(first.split()[-1], dict(line.split("\t") for line in lines))


def changed_since(release: str, values: Iterable[str], directory: Path) -> list[ChangedAnswer]:
    """Return the answers that differ from those of an older release, which is installed in the directory.

    Its own example numbers are compared, too.
    """
    before = _answers_of_release(values, directory)
    assert before.release == release
    today = answers_today(before.answers)
    return [
        ChangedAnswer(release, value, answer, today[value])
        for value, answer in before.answers.items()
        if answer != today[value]
    ]


def main(task: str) -> None:
    if task == "print":
        sys.stdout.write(_table(answers_today(dict.fromkeys([*json.load(sys.stdin), *example_values()]))))
    else:
        _write()


def _write() -> None:
    """Write both tables. A value that is in the table stays there: somebody may have stored it."""
    table, older = committed_answers(), compared_releases()
    if table.release != phonenumbers.__version__:  # the lock was updated
        older = list(dict.fromkeys([BEFORE_2024, table.release]))
    answers = answers_today(sorted({*table.answers, *example_values()}))
    ANSWERS.write_text(_table(answers), encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        changes = [
            change
            for release in older
            for change in changed_since(release, answers, install(release, Path(directory) / release))
        ]
    lines = [" ".join(["#", *older]), *map("\t".join, changes)]
    CHANGES.write_text("\n".join(lines) + "\n", encoding="utf-8")
    changed = ["  ".join(change[1:]) for change in changes if change.release == older[-1]]
    title = f"{len(answers)} numbers; phonenumbers {phonenumbers.__version__} reads {len(changed)} differently from "
    sys.stdout.write("\n".join([title + older[-1], *changed]) + "\n")


def _table(answers: Answers) -> str:
    lines = [f"# phonenumbers {phonenumbers.__version__}", *map("\t".join, answers.items())]
    return "\n".join(lines) + "\n"


def _answers_of_release(values: Iterable[str], directory: Path) -> ReleaseAnswers:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.releases.answers", "print"],
        cwd=ROOT, env=environment_with(directory, ROOT / "src"), input=json.dumps(list(values)),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return parsed_answers(printed.stdout)


def _answer(value: str) -> str:
    try:
        return normalize("phone", value)
    except ValueRefused as refused:
        return f"refused: {refused.reason}"


def _example_numbers() -> Iterator[PhoneNumber]:
    found = [
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in PhoneNumberType.values()
    ]
    found += map(phonenumbers.example_number_for_non_geo_entity, sorted(phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS))
    return (number for number in found if number is not None)


if __name__ == "__main__":
    main(*sys.argv[1:])
