"""The pages about metrics are true, and so are the dashboard and the alerts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from profile_lookup.metrics.catalogue import CATALOGUE
from profile_lookup.metrics.instruments import Histogram

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy/observability"
RULES = OBSERVABILITY / "alerts.yml"


def documented_metrics() -> list[str]:
    """Return the rows of the table of metrics, as the catalogue has them."""
    return [
        f"| `{each.name}` | {', '.join(f'`{label}`' for label in each.labels)} | {each.help.removesuffix('.')} |"
        for each in CATALOGUE
    ]


def test_the_table_of_metrics_equals_the_catalogue() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    assert [line for line in page.splitlines() if re.match(r"\| `profile_lookup_", line)] == documented_metrics()


def exported_names() -> set[str]:
    """Return the names of all series that the service exports."""
    histograms = {each.name for each in CATALOGUE if isinstance(each, Histogram)}
    series = {f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")}
    return series | {each.name for each in CATALOGUE} - histograms


@pytest.mark.parametrize("path", [RULES, OBSERVABILITY / "grafana/profile-lookup.json"], ids=lambda path: path.name)
def test_dashboard_and_rules_name_metrics_that_exist(path: Path) -> None:
    named = set(re.findall(r"\bprofile_lookup_[a-z0-9_]+", path.read_text()))
    assert len(named) > 5
    assert named <= exported_names()


def test_each_alert_has_a_heading_that_says_what_to_do() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]:
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^### (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
        assert rule["alert"] in headings
        assert anchor == rule["alert"].lower()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus")
@pytest.mark.parametrize(
    ("what", "name"), [(["check", "rules"], "alerts.yml"), (["check", "config"], "prometheus.yml")]
)
def test_prometheus_accepts_the_rules_and_its_configuration(what: list[str], name: str) -> None:
    done = subprocess.run(["promtool", *what, OBSERVABILITY / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
