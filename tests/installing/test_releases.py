"""How a release is published: the workflow, and the notes that it takes from CHANGELOG.md."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools.release_notes import release_notes

from tests.installing.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CHANGELOG = """\
# Changelog

## [Unreleased]

## [0.3.0] - 2026-12-01

### Added
- One thing.

## [0.2.0] - 2026-11-01
"""


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    assert release_notes("0.3.0", CHANGELOG) == "### Added\n- One thing.\n"


@pytest.mark.parametrize("version", ["0.2.0", "0.1.0", "0.3"])
def test_a_version_about_which_the_changelog_says_nothing_is_refused(version: str) -> None:
    with pytest.raises(SystemExit, match=f"no section about {re.escape(version)}"):
        release_notes(version, CHANGELOG)


def test_a_tag_that_is_not_the_version_of_the_package_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "tools/release_notes.py", "99.0.0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("the tag is 99.0.0, and pyproject.toml says ")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_a_commit_which_a_comment_names(workflow: Path) -> None:
    used = [line.partition("uses:")[2].strip() for line in workflow.read_text().splitlines() if "uses:" in line]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_a_tag_publishes_packages_and_an_image_for_two_kinds_of_processors_with_sbom_and_provenance() -> None:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    jobs = workflow["jobs"]
    (push,) = (step["with"] for step in jobs["image"]["steps"] if "build-push-action" in step.get("uses", ""))
    assert push["platforms"] == "linux/amd64,linux/arm64"
    assert (push["sbom"], push["provenance"]) == (True, "mode=max")
    assert jobs["publish"]["needs"] == ["packages", "image"]
    for job in ("packages", "image"):
        assert any("attest-build-provenance" in step.get("uses", "") for step in jobs[job]["steps"])
