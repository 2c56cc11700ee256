"""An update of phonenumbers changes no answer unless the committed tables show the change (CONTRIBUTING.md)."""

import re
from collections.abc import Callable
from pathlib import Path

import phonenumbers
import pytest

from tests.releases import answers
from tests.releases.answers import BEFORE_2024
from tests.releases.older import ROOT

UPDATE = (
    "The answers are not those of the table. `python3 run.py phones` writes them; CONTRIBUTING.md says how to go on."
)


def test_the_table_is_that_of_the_locked_release() -> None:
    locks = [(ROOT / name).read_text() for name in ("requirements.lock", "requirements-dev.lock")]
    locked = {release for lock in locks for release in re.findall("^phonenumbers==([0-9.]+)", lock, re.MULTILINE)}
    assert locked == {answers.committed_answers().release}, UPDATE


def test_all_numbers_of_the_table_are_read_as_it_says() -> None:
    committed = answers.committed_answers().answers
    today = answers.answers_today(committed)
    differences = [
        f"{value}: {answer} → {today[value]}" for value, answer in committed.items() if answer != today[value]
    ]
    assert not differences, "\n".join([f"phonenumbers {phonenumbers.__version__}: {UPDATE}", *differences])


def test_the_table_has_every_example_number() -> None:
    examples = set(answers.example_values())
    assert len(examples) > 3000
    assert not examples - answers.committed_answers().answers.keys(), UPDATE


def test_the_table_has_numbers_and_refusals() -> None:
    refused = [answer.startswith("refused: expected ") for answer in answers.committed_answers().answers.values()]
    assert 100 < sum(refused) < len(refused) / 2


@pytest.mark.slow
@pytest.mark.parametrize("release", answers.compared_releases())
def test_the_differences_from_an_older_release_are_written_down(
    release: str, release_directory: Callable[[str], Path]
) -> None:
    values = answers.committed_answers().answers
    changed = answers.changed_since(release, values, release_directory(release))
    assert changed == [change for change in answers.committed_changes() if change.release == release], UPDATE


def test_the_comparison_shows_the_new_plan_of_benin() -> None:
    """Otherwise, an empty list of changes since the last release would prove nothing."""
    changes = {change.value: change.today for change in answers.committed_changes() if change.release == BEFORE_2024}
    assert changes["+2290197123456"] == "+2290197123456"


def test_no_update_makes_a_stored_number_another_one() -> None:
    """A number that became another one needs a line in the renumbering table, or people are not found by both."""
    assert not [change for change in answers.committed_changes() if change.before[0] == change.today[0] == "+"]
