"""What tests of connections share."""

from collections.abc import Iterator

import pytest

from profile_lookup.settings import Settings
from tests.serving.counting_service import Service, counting_service


@pytest.fixture
def service(settings: Settings, synchronous_account: tuple[str, str]) -> Iterator[Service]:
    with counting_service(settings, synchronous_account) as running:
        yield running
