"""The docs page and the pages below it, used in a browser like a new user does."""

import re
from urllib.parse import urlencode

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import PATIENCE
from tests.browser.conftest import Customer
from tests.browser.docs_page import LOOKUP, DocsPage


def test_every_operation_is_listed_without_a_request_to_another_host(browser: Chrome, service_url: str) -> None:
    page = DocsPage(browser, service_url)
    paths = httpx.get(f"{service_url}/openapi.json", timeout=PATIENCE).json()["paths"]
    assert page.operations() == {
        (method.upper(), path, operation["summary"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert [url for url in page.requested() if not url.startswith(f"{service_url}/")] == []
    assert f"{service_url}/openapi.json" in page.requested()
    assert page.console_errors() == []


def test_authorize_and_try_it_out_show_a_profile_or_an_error(
    browser: Chrome, service_url: str, synchronous_account: tuple[str, str], customer: Customer
) -> None:
    sid, token = synchronous_account
    page = DocsPage(browser, service_url)

    page.authorize(sid, token)
    page.click(f"{LOOKUP} .opblock-summary-control")
    page.click(f"{LOOKUP} .try-out__btn")
    page.type(f"{LOOKUP} [data-param-name=storeId] input", customer.store_id)
    page.click(f"{LOOKUP} .execute")  # sends the example as its body
    assert customer.profile_id in page.answer(200)
    assert page.console_errors() == []

    page.withdraw_authorization()
    page.authorize(sid, "a wrong token")
    page.click(f"{LOOKUP} .execute")
    assert '"code": 20003' in page.answer(401)
    assert [url for url in page.requested() if not url.startswith(f"{service_url}/")] == []


def test_the_address_of_the_demo_fills_in_credentials_and_store_and_opens_the_lookup(
    browser: Chrome, service_url: str, synchronous_account: tuple[str, str], customer: Customer
) -> None:
    sid, secret = synchronous_account
    filled_in = urlencode({"sid": sid, "secret": secret, "storeId": customer.store_id})
    page = DocsPage(browser, service_url, f"#{filled_in}")
    page.click(f"{LOOKUP} .execute")
    assert customer.profile_id in page.answer(200)
    assert secret not in browser.current_url
    assert [url for url in page.requested() if secret in url] == []
    assert page.console_errors() == []


@pytest.mark.slow
def test_the_lookup_is_the_first_operation(browser: Chrome, service_url: str) -> None:
    page = DocsPage(browser, service_url)
    page.operations()
    first = browser.find_element(By.CSS_SELECTOR, ".opblock-summary-path")
    assert first.get_attribute("data-path") == "/v1/Stores/{storeId}/Profiles/Lookup"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/docs", "/docs/guides", "/docs/errors", "/docs/errors/520046"])
def test_a_page_follows_the_color_scheme_of_the_system_and_breaks_no_policy(
    browser: Chrome, service_url: str, path: str, scheme: str
) -> None:
    preferred = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", preferred)
    browser.get(service_url + path)
    WebDriverWait(browser, PATIENCE).until(lambda _: browser.find_elements(By.CSS_SELECTOR, "main, .opblock"))
    color_of_title = "return getComputedStyle(document.querySelector('h1, h2')).color"
    red, *_ = map(int, re.findall(r"\d+", browser.execute_script(color_of_title)))
    assert (red > 128) == (scheme == "dark")
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert [entry for entry in entries if entry["level"] == "SEVERE"] == []
