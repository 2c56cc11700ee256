"""The console's requests have the limits that the API's have, and can be turned off."""

from collections.abc import Iterator

import httpx
import pytest

from profile_lookup.settings import Settings
from tests.browser.chromium import PATIENCE
from tests.console.visitors import sign_in
from tests.running_service import serving

SELDOM = 0.001  # requests per second


def visits(settings: Settings) -> Iterator[httpx.Client]:
    """Yield a visitor of a service with these settings, who comes through a proxy: its address alone is not counted."""
    with serving(settings) as url, httpx.Client(base_url=url, follow_redirects=True, timeout=PATIENCE) as opened:
        opened.headers["X-Forwarded-For"] = "192.0.2.1"
        yield opened


class TestFailures:
    @pytest.fixture
    def visitor(self, settings: Settings) -> Iterator[httpx.Client]:
        yield from visits(
            settings.model_copy(update={"failed_credentials_per_second": SELDOM, "failed_credentials_burst": 3})
        )

    def test_too_many_wrong_secrets_from_an_address_are_refused_and_right_ones_are_not(
        self, visitor: httpx.Client, synchronous_account: tuple[str, str]
    ) -> None:
        sid, secret = synchronous_account
        statuses = [sign_in(visitor, sid, "wrong").status_code for _ in range(4)]
        assert statuses == [401, 401, 401, 429]
        refused = sign_in(visitor, sid, "wrong")
        assert "You have sent too many requests in a short time." in refused.text
        assert f"Try it again after {int(refused.headers['retry-after'])} seconds." in refused.text
        assert sign_in(visitor, sid, secret).status_code == 200


class TestRates:
    @pytest.fixture
    def visitor(self, settings: Settings) -> Iterator[httpx.Client]:
        yield from visits(settings.model_copy(update={"rate_limit_per_key": SELDOM, "rate_burst_per_key": 3}))

    def test_pages_count_for_the_rate_limit_of_a_key(
        self, visitor: httpx.Client, synchronous_account: tuple[str, str]
    ) -> None:
        assert sign_in(visitor, *synchronous_account).status_code == 200  # with the page that it leads to
        assert [visitor.get("/console").status_code for _ in range(2)] == [200, 429]


def test_the_console_can_be_turned_off(settings: Settings) -> None:
    for visitor in visits(settings.model_copy(update={"console": False})):
        assert visitor.get("/console/sign-in").status_code == 404
        assert visitor.get("/docs").status_code == 200
