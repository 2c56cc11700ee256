"""The docs page as a user of a browser sees it."""

from typing import Any, Literal

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import PATIENCE

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
