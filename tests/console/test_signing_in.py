"""Who may use the console, and until when. Most of it needs no browser."""

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from selenium.webdriver.common.keys import Keys

from profile_lookup.console.cookies import SESSION
from profile_lookup.settings import Settings
from tests.browser.chromium import PATIENCE
from tests.conftest import new_account
from tests.console.browser import Console
from tests.console.visitors import sign_in, token_in
from tests.running_service import serving


@pytest.fixture
def visitor(console_url: str) -> Iterator[httpx.Client]:
    """Somebody without JavaScript, and with cookies."""
    with httpx.Client(base_url=console_url, follow_redirects=True, timeout=PATIENCE) as opened:
        yield opened


def make_key(visitor: httpx.Client, account: tuple[str, str], *scopes: str) -> dict[str, str]:
    answer = visitor.post("/v1/ControlPlane/Keys", json={"name": "a person", "scopes": scopes}, auth=account)
    assert answer.status_code == 201, answer.text
    key: dict[str, str] = answer.json()
    return key


def test_signing_in_leads_to_the_only_store_and_signing_out_ends_the_session(console: Console) -> None:
    console.sign_in(*console.account)
    assert console.path == f"stores/{console.store_id}"
    assert "customers" in console.text
    console.press("Sign out")
    assert console.path == "sign-in"
    assert console.violations() == []
    console.open()
    assert console.path == "sign-in"


def test_signing_out_ends_the_session_in_every_process_also_for_a_copy_of_its_cookie(
    visitor: httpx.Client, console_settings: Settings, console_account: tuple[str, str], console_store: str
) -> None:
    sign_in(visitor, *console_account)
    other_session = visitor.cookies[SESSION]
    page = sign_in(visitor, *console_account)
    copy = visitor.cookies[SESSION]
    assert visitor.post("/console/sign-out", data={"token": token_in(page)}).url.path == "/console/sign-in"
    with serving(console_settings) as other_process:
        for url in (str(visitor.base_url).rstrip("/"), other_process):
            path = f"{url}/console/stores/{console_store}"
            assert httpx.get(path, headers={"Cookie": f"{SESSION}={copy}"}).status_code == 303
            assert httpx.get(path, headers={"Cookie": f"{SESSION}={other_session}"}).status_code == 200


def test_a_wrong_secret_is_refused(console: Console) -> None:
    console.sign_in(console.account[0], "wrong")
    assert "do not belong together" in console.text
    assert console.violations() == []
    assert console.field("SID").get_property("value") == console.account[0]
    assert console.field("Secret") == console.browser.switch_to.active_element
    console.type(console.account[1], Keys.ENTER)
    console.wait_for("Who is calling?")


def test_a_secret_that_was_typed_into_the_wrong_field_is_not_shown_again(console: Console) -> None:
    sid, secret = console.account
    console.sign_in(secret, sid)
    assert "do not belong together" in console.text
    assert secret not in console.browser.page_source


def test_somebody_with_several_stores_chooses_one(console: Console, console_settings: Settings) -> None:
    account = asyncio.run(new_account(console_settings))
    with httpx.Client(base_url=console.base_url, auth=account) as api:
        for name in ("shops", "banks"):
            assert api.post("/v1/ControlPlane/Stores", json={"displayName": name}).status_code == 202
    console.sign_in(*account)
    assert console.violations() == []
    console.press("banks")
    assert console.path.startswith("stores/mem_store_")
    console.press("profile-lookup")
    console.press("shops")
    assert "Who is calling?" in console.text


def test_under_https_the_cookies_are_for_encrypted_connections_only(visitor: httpx.Client) -> None:
    for scheme, is_secure in (("https", True), ("http", False)):
        page = visitor.get("/console/sign-in", headers={"X-Forwarded-Proto": scheme})
        assert ("Secure" in page.headers["set-cookie"]) == is_secure


def test_all_addresses_of_a_page_are_relative_so_that_a_proxy_may_serve_it_below_a_path(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str
) -> None:
    sign_in(visitor, *console_account)
    for path in ("/console/sign-in", f"/console/stores/{console_store}"):
        addresses = re.findall('(?:href|src|action)="([^"#]+)"', visitor.get(path).text)
        assert addresses
        assert [each for each in addresses if each.startswith(("/", "http"))] == []


def test_somebody_who_is_not_signed_in_comes_back_to_the_page_that_was_asked_for(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str
) -> None:
    asked = f"/console/stores/{console_store}"
    page = visitor.get(asked)
    assert page.url.path == "/console/sign-in"
    form = {"token": token_in(page), "sid": console_account[0], "secret": console_account[1]}
    to = re.search('name="to" value="([^"]*)"', page.text)
    assert to is not None
    assert visitor.post("/console/sign-in", data=form | {"to": to[1]}).url.path == asked


@pytest.mark.parametrize("to", ["//elsewhere.example", "https://elsewhere.example", "../docs", "stores?value=1"])
def test_signing_in_leads_to_no_other_site(visitor: httpx.Client, console_account: tuple[str, str], to: str) -> None:
    page = sign_in(visitor, *console_account, to=to)
    assert page.status_code == 200
    assert page.url.host == "127.0.0.1"
    assert page.url.path.startswith("/console/stores/")


def test_the_cookie_holds_no_secret_and_no_script_can_read_it(
    visitor: httpx.Client, console_account: tuple[str, str]
) -> None:
    form = {"token": token_in(visitor.get("/console/sign-in")), "sid": console_account[0], "secret": console_account[1]}
    answer = visitor.post("/console/sign-in", data=form, follow_redirects=False)
    (cookie,) = [each for each in answer.headers.get_list("set-cookie") if each.startswith(SESSION)]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert console_account[1] not in cookie


def test_a_cookie_that_was_changed_is_no_session(visitor: httpx.Client, console_account: tuple[str, str]) -> None:
    sign_in(visitor, *console_account)
    cookie = visitor.cookies[SESSION]
    visitor.cookies.delete(SESSION)
    visitor.cookies.set(SESSION, f"A{cookie[1:]}")
    assert visitor.get("/console").url.path == "/console/sign-in"


def test_a_revoked_key_ends_its_session_at_once(visitor: httpx.Client, console_account: tuple[str, str]) -> None:
    key = make_key(visitor, console_account, "lookup")
    assert sign_in(visitor, key["sid"], key["secret"]).status_code == 200
    assert visitor.delete(f"/v1/ControlPlane/Keys/{key['sid']}", auth=console_account).is_success
    assert visitor.get("/console").url.path == "/console/sign-in"


@pytest.mark.parametrize("path", ["sign-out", "stores/{store}", "stores/{store}/reading"])
def test_a_form_without_the_token_of_the_session_is_refused(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str, path: str
) -> None:
    sign_in(visitor, *console_account)
    address = f"/console/{path.format(store=console_store)}"
    for token in ({}, {"token": token_in(visitor.get("/console/sign-in"))}):
        answer = visitor.post(address, data={"value": "+13175556789", **token})
        assert answer.status_code == 403
        assert "not of this session" in answer.text


def test_strangers_send_no_files(visitor: httpx.Client, console_account: tuple[str, str]) -> None:
    sid, secret = console_account
    form = {"token": token_in(visitor.get("/console/sign-in")), "sid": sid, "secret": secret}
    assert visitor.post("/console/sign-in", data=form, files={"file": b"small"}).status_code == 400
    assert visitor.post("/console/sign-in", data=form, files={"file": bytes(2 << 20)}).status_code == 413


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape"])
def test_a_form_with_halves_of_characters_is_refused(visitor: httpx.Client, charset: str) -> None:
    token = token_in(visitor.get("/console/sign-in"))
    fields = {"token": token, "sid": "+2AA- \\ud800", "secret": "wrong"}
    parts = [f'--end\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields]
    headers = {"Content-Type": f"multipart/form-data; boundary=end; charset={charset}"}
    page = visitor.post("/console/sign-in", content="".join([*parts, "--end--\r\n"]), headers=headers)
    assert page.status_code == 400
    assert "expected UTF-8" in page.text


def test_the_form_that_signs_in_needs_the_token_of_its_browser(
    visitor: httpx.Client, console_account: tuple[str, str]
) -> None:
    sid, secret = console_account
    token = token_in(visitor.get("/console/sign-in"))
    visitor.cookies.clear()
    assert visitor.post("/console/sign-in", data={"token": token, "sid": sid, "secret": secret}).status_code == 403


@pytest.mark.parametrize(
    ("scope", "first"),
    [
        ("lookup", "stores/{store}"),
        ("read", "stores/{store}/suspects"),
        ("write", "operations"),
        ("manage", "stores/{store}/rules/settings"),
    ],
)
def test_a_key_is_led_to_the_first_page_that_it_may_see(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str, scope: str, first: str
) -> None:
    key = make_key(visitor, console_account, scope)
    page = sign_in(visitor, key["sid"], key["secret"])
    assert (page.status_code, page.url.path) == (200, f"/console/{first.format(store=console_store)}")


def test_a_key_sees_only_what_it_may_do(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str
) -> None:
    key = make_key(visitor, console_account, "read")
    sign_in(visitor, key["sid"], key["secret"])
    page = visitor.get(f"/console/stores/{console_store}")
    assert page.status_code == 403
    assert "does not have the scope lookup" in page.text
    assert "Look up" not in page.text


def test_an_address_with_a_slash_at_its_end_leads_to_the_page(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str
) -> None:
    sign_in(visitor, *console_account)
    for path in ("/console", "/console/", "/console//", f"/console/stores/{console_store}/"):
        assert visitor.get(path).url.path == f"/console/stores/{console_store}"


def test_an_address_that_is_unknown_or_only_takes_forms_has_a_page_that_says_so(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str
) -> None:
    sign_in(visitor, *console_account)
    for path in ("nowhere", "sign-out", f"stores/{console_store}/reading"):
        page = visitor.get(f"/console/{path}")
        assert page.status_code == 404
        assert "There is no page at this address" in page.text


def test_answers_are_neither_kept_nor_framed_and_allow_no_other_source(visitor: httpx.Client) -> None:
    page = visitor.get("/console/sign-in")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
