"""The console as a person uses it in a browser."""

from pathlib import Path
from typing import Any

import httpx
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import PATIENCE

NARROW = 360  # CSS pixels
POLL = 0.05  # seconds
MOST_TABS = 60  # until a page has led through all that it has
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""The tags of axe-core for the rules of WCAG 2.2, levels A and AA."""


class Console:
    """A browser with the console of a service. `api` calls the same service with the credentials of the account."""

    def __init__(self, browser: Chrome, base_url: str, account: tuple[str, str], store_id: str, axe: Path) -> None:
        self.browser = browser
        self.base_url = base_url
        self.account = account
        self.store_id = store_id
        self.api = httpx.Client(base_url=base_url, auth=account, timeout=PATIENCE)
        self._axe = axe

    def open(self, path: str = "") -> None:
        """Open a path below `/console`."""
        self.browser.get(f"{self.base_url}/console/{path}".rstrip("/"))

    def open_in_store(self, path: str = "") -> None:
        """Open a path below the store."""
        self.open(f"stores/{self.store_id}/{path}")

    def use_cookie(self, name: str, value: str) -> None:
        """Have this cookie, and no others."""
        self.browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
        cookie = {"name": name, "value": value, "url": self.base_url, "httpOnly": True, "sameSite": "Strict"}
        assert self.browser.execute_cdp_cmd("Network.setCookie", cookie)["success"]

    def sign_in(self, sid: str, secret: str) -> None:
        self.browser.delete_all_cookies()
        self.open("sign-in")
        self.fill("SID", sid)
        self.fill("Secret", secret)
        self.press("Sign in")

    def field(self, label: str, within: str = "body") -> WebElement:
        """Return the field with this label: the first that can be seen, within the element that a selector finds."""
        for found in self.browser.find_elements(By.CSS_SELECTOR, f"{within} label"):
            if found.is_displayed() and found.text.strip() == label:
                inside = found.find_elements(By.CSS_SELECTOR, "input, select, textarea")
                return inside[0] if inside else self.browser.find_element(By.ID, found.get_attribute("for") or "")
        raise AssertionError(f"no field {label}")

    def fill(self, label: str, text: str, within: str = "body") -> None:
        """Replace the text of a field. Characters that no keyboard types are set by a script."""
        field = self.field(label, within)
        field.clear()
        if text.isascii():
            field.send_keys(text)
        else:
            self.browser.execute_script("arguments[0].value = arguments[1]", field, text)

    def press(self, text: str, within: str = "body") -> None:
        """Press a button, or follow a link, and wait until the next page is there."""
        before = self._document()
        self.button(text, within).click()
        wait = WebDriverWait(self.browser, PATIENCE, POLL, ignored_exceptions=[WebDriverException])
        wait.until(lambda _: self._document() != before, f"{text} leads to no other page")

    def tab_to(self, text: str) -> None:
        """Press the Tab key until the link or button with this text has the focus."""
        for _ in range(MOST_TABS):
            ActionChains(self.browser).send_keys(Keys.TAB).perform()
            if self.browser.switch_to.active_element.text.strip() == text:
                return
        raise AssertionError(f"the Tab key does not lead to {text}")

    def type(self, *keys: str) -> None:
        """Type into what has the focus."""
        ActionChains(self.browser).send_keys(*keys).perform()

    def button(self, text: str, within: str = "body") -> WebElement:
        """Return the button with this text that can be seen, or else the summary, or else the link."""
        for tag in _PRESSED:
            for found in self.browser.find_elements(By.CSS_SELECTOR, f"{within} {tag}"):
                if found.is_displayed() and found.text.strip() == text:
                    return found
        raise AssertionError(f"no button {text}")

    def buttons(self) -> list[str]:
        """Return the texts of the buttons, links and summaries that can be seen."""
        found = self.browser.find_elements(By.CSS_SELECTOR, ",".join(_PRESSED))
        return [each.text.strip() for each in found if each.is_displayed()]

    def _document(self) -> str:
        """Return what identifies the document that is shown, also where scripts are not allowed."""
        return self.browser.find_element(By.TAG_NAME, "html").id

    @property
    def text(self) -> str:
        """The text of the page that can be seen."""
        return self.browser.find_element(By.TAG_NAME, "body").text

    @property
    def path(self) -> str:
        """The path of the page below `/console/`."""
        return self.browser.current_url.removeprefix(f"{self.base_url}/console").removeprefix("/")

    def wait_for(self, text: str) -> None:
        """Wait until the page shows this text. Between two pages, the browser refuses in several ways to read one."""
        wait = WebDriverWait(self.browser, PATIENCE, POLL, ignored_exceptions=[WebDriverException])
        wait.until(lambda _: text in self.text, f"{text} is not shown")

    def allow_scripts(self, *, allowed: bool) -> None:
        self.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def narrow(self) -> None:
        """Make the window as narrow as a telephone. It stays so until `widen`."""
        metrics = {"width": NARROW, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def widen(self) -> None:
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def prefer(self, scheme: str) -> None:
        """Prefer the colors of this scheme: `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def scrolls_sideways(self) -> bool:
        script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(self.browser.execute_script(script))

    def violations(self) -> list[str]:
        """Return how the page breaks the rules of WCAG 2.2 AA in light or dark colors, by axe-core."""
        if not self.browser.execute_script("return 'axe' in window"):
            self.browser.execute_script(self._axe.read_text())
        found: list[str] = []
        for scheme in ("dark", "light"):
            self.prefer(scheme)
            run = "const done = arguments[1]; axe.run(document, {runOnly: arguments[0]}).then(done)"
            result: dict[str, Any] = self.browser.execute_async_script(run, WCAG)
            found += [
                f"{scheme}: {rule['id']}: {node['html']}" for rule in result["violations"] for node in rule["nodes"]
            ]
        return found

    def errors(self) -> list[str]:
        """Return what the browser's console says since the last call, of scripts, the policy, styles and images.

        That a page has a status of 400 or more, as that of a refused form does, is no error here.
        """
        entries = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [
            entry["message"]
            for entry in entries
            if entry["level"] in ("SEVERE", "WARNING")
            and (entry["source"] != "network" or "/assets/" in entry["message"])
        ]

    def save_screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a picture of the page: the whole of it, or what the window shows."""
        if whole:
            height = self.browser.execute_script("return document.documentElement.scrollHeight")
            self.browser.set_window_size(1280, height + 150)
        self.browser.save_screenshot(str(path))


_PRESSED = ("button", "summary", "a")
