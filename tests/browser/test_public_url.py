"""The docs page of a service that clients elsewhere reach by another URL than this browser."""

import pytest
from selenium.webdriver import Chrome

from profile_lookup.settings import Settings
from profile_lookup.web.ids import EXAMPLE_STORE_ID
from tests.browser.docs_page import LOOKUP, DocsPage


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"public_url": "https://identity.example/api"})


def test_the_page_calls_the_service_that_it_was_loaded_from(browser: Chrome, service_url: str) -> None:
    page = DocsPage(browser, service_url)
    page.click(f"{LOOKUP} .opblock-summary-control")
    page.click(f"{LOOKUP} .try-out__btn")
    page.type(f"{LOOKUP} [data-param-name=storeId] input", EXAMPLE_STORE_ID)
    page.click(f"{LOOKUP} .execute")
    assert '"more_info": "https://identity.example/api/docs/errors/20003"' in page.answer(401)
    assert [url for url in page.requested() if not url.startswith(f"{service_url}/")] == []
