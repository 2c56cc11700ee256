"""The docs page, used in a browser like a new user does."""

import re
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import pytest
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import PATIENCE, Customer

LOOKUP = "#operations-Retrieval-CreateProfilesLookup"

NOT_YET = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)


class DocsPage:
    """The opened `/docs`. Every action is repeated until it works, because the page redraws itself at any time."""

    def __init__(self, browser: Chrome, base_url: str, fragment: str = "") -> None:
        self.browser = browser
        self.wait = WebDriverWait(browser, PATIENCE, ignored_exceptions=NOT_YET)
        browser.get(f"{base_url}/docs{fragment}")

    def click(self, css: str) -> None:
        def clicked(browser: Chrome) -> bool:
            browser.find_element(By.CSS_SELECTOR, css).click()
            return True

        self.wait.until(clicked, f"no way to click {css}")

    def type(self, css: str, text: str) -> None:
        def typed(browser: Chrome) -> bool:
            field = browser.find_element(By.CSS_SELECTOR, css)
            field.clear()
            field.send_keys(text)
            return field.get_property("value") == text

        self.wait.until(typed, f"no way to type into {css}")

    def authorize(self, sid: str, secret: str) -> None:
        self.click(".auth-wrapper .authorize")
        self.type("#auth-basic-username", sid)
        self.type("#auth-basic-password", secret)
        self.click(".modal-ux .authorize")
        self.click(".modal-ux .btn-done")

    def withdraw_authorization(self) -> None:
        self.click(".auth-wrapper .authorize")
        self.click(".modal-ux form button:not(.btn-done)")
        self.click(".modal-ux .btn-done")

    def answer(self, status: int) -> str:
        """Wait until an answer with this status is shown, and return its body."""

        def shown(browser: Chrome) -> str | Literal[False]:
            answer = browser.find_element(By.CSS_SELECTOR, f"{LOOKUP} .live-responses-table .response")
            if answer.find_element(By.CSS_SELECTOR, ".response-col_status").text.split()[:1] != [str(status)]:
                return False
            return answer.find_element(By.CSS_SELECTOR, "code").text

        return self.wait.until(shown, f"no answer with {status} is shown")

    def operations(self) -> set[tuple[str, str, str]]:
        """Return the method, path and summary of each listed operation."""

        def listed(browser: Chrome) -> set[tuple[str, str, str]]:
            return {
                (
                    row.find_element(By.CSS_SELECTOR, ".opblock-summary-method").text,
                    row.find_element(By.CSS_SELECTOR, ".opblock-summary-path").get_attribute("data-path") or "",
                    row.find_element(By.CSS_SELECTOR, ".opblock-summary-description").text,
                )
                for row in browser.find_elements(By.CSS_SELECTOR, ".opblock-summary")
            }

        return self.wait.until(listed, "no operation is listed")

    def requested(self) -> list[str]:
        entries = "return performance.getEntriesByType('resource').map(entry => entry.name)"
        requested: list[str] = self.browser.execute_script(entries)
        return requested

    def console_errors(self) -> list[dict[str, Any]]:
        entries = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry for entry in entries if entry["level"] == "SEVERE"]


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


def test_the_lookup_is_the_first_operation(browser: Chrome, service_url: str) -> None:
    page = DocsPage(browser, service_url)
    page.operations()
    first = browser.find_element(By.CSS_SELECTOR, ".opblock-summary-path")
    assert first.get_attribute("data-path") == "/v1/Stores/{storeId}/Profiles/Lookup"


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
