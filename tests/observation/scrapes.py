"""Reads metrics as Prometheus does."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The samples of one answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self._samples = [sample for family in self.families.values() for sample in family.samples]

    @classmethod
    def of(cls, address: str) -> "Scrape":
        answer = httpx.get(address)
        assert answer.status_code == 200, answer.text
        return cls(answer.text)

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """Return the sum of the samples with this name whose labels include these."""
        wanted = (labels or {}).items()
        return sum(sample.value for sample in self._samples if sample.name == name and wanted <= sample.labels.items())

    def label_values(self, label: str) -> set[str]:
        return {sample.labels[label] for sample in self._samples if label in sample.labels}
