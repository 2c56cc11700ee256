"""The pages about metrics are true."""

import re
from pathlib import Path

from profile_lookup.metrics.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]


def documented_metrics() -> list[str]:
    """Return the rows of the table of metrics, as the catalogue has them."""
    return [
        f"| `{each.name}` | {', '.join(f'`{label}`' for label in each.labels)} | {each.help.removesuffix('.')} |"
        for each in CATALOGUE
    ]


def test_the_table_of_metrics_equals_the_catalogue() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    assert [line for line in page.splitlines() if re.match(r"\| `profile_lookup_", line)] == documented_metrics()
