"""What holds for every page and every form, also for those that are added."""

import asyncio
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from profile_lookup.console.routes import router
from profile_lookup.settings import Settings
from profile_lookup.web.ids import EXAMPLE_KEY_SID, EXAMPLE_OPERATION_ID, EXAMPLE_PROFILE_ID
from tests.browser.chromium import PATIENCE
from tests.conftest import new_account
from tests.console.operations import write_batch
from tests.console.visitors import sign_in, token_in

OTHER_PARAMETERS = {"profileId": EXAMPLE_PROFILE_ID, "operationId": EXAMPLE_OPERATION_ID, "keySid": EXAMPLE_KEY_SID}
ROUTES = [route for route in router.routes if isinstance(route, APIRoute)]
PAGES = sorted({(method, route.path) for route in ROUTES for method in route.methods or ()})
TEMPLATES = sorted(Path(str(files("profile_lookup.console") / "templates")).rglob("*.html"))


@pytest.fixture
def visitor(console_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=console_url, timeout=PATIENCE) as opened:
        yield opened


def address_of(path: str, store_id: str) -> str:
    """Return an address for a route's path. Where an ID of another kind is expected, a profile's is a malformed one."""
    parameters = {"storeId": store_id, **OTHER_PARAMETERS}
    return re.sub(r"\{(\w+)\}", lambda found: parameters.get(found[1], EXAMPLE_PROFILE_ID), path)


def test_every_form_is_refused_without_the_token_of_its_session(
    visitor: httpx.Client, console_account: tuple[str, str], console_store: str
) -> None:
    sign_in(visitor, *console_account)
    foreign = token_in(visitor.get("/console/sign-in"))
    answers = {
        path: visitor.post(address_of(path, console_store), data={"token": token}).status_code
        for token in ("", foreign)
        for method, path in PAGES
        if method == "POST" and not path.startswith("/console/sign-in")
    }
    assert answers
    assert set(answers.values()) == {403}, answers


def test_no_page_is_shown_to_somebody_who_is_not_signed_in(visitor: httpx.Client, console_store: str) -> None:
    for method, path in PAGES:
        if not path.startswith("/console/sign-in"):
            answer = visitor.request(method, address_of(path, console_store))
            assert answer.status_code == 303, path
            assert "sign-in" in answer.headers["location"], path


def test_another_account_finds_nothing_of_a_store(
    visitor: httpx.Client, console_settings: Settings, console_account: tuple[str, str], console_store: str
) -> None:
    sign_in(visitor, *asyncio.run(new_account(console_settings)))
    form = {"token": token_in(visitor.get("/console"))}
    answers = {
        (method, path): visitor.request(method, address_of(path, console_store), data=form).status_code
        for method, path in PAGES
        if "{storeId}" in path
    }
    assert answers
    assert set(answers.values()) == {404}, answers


def test_another_account_finds_neither_keys_nor_operations(
    visitor: httpx.Client, console_settings: Settings, console_account: tuple[str, str], console_store: str
) -> None:
    with httpx.Client(base_url=visitor.base_url, auth=console_account, timeout=PATIENCE) as api:
        key = api.post("/v1/ControlPlane/Keys", json={"name": "agents", "scopes": ["read"]}).json()["sid"]
        person = {"traits": {"Contact": {"email": "batch@example.com"}}}
        operation = write_batch(api, console_store, [person])
    sign_in(visitor, *asyncio.run(new_account(console_settings)))
    form = {"token": token_in(visitor.get("/console"))}
    for path in (f"keys/{key}", f"operations/{operation}"):
        assert visitor.get(f"/console/{path}").status_code == 404
    for path in (f"keys/{key}", f"keys/{key}/revoke"):
        assert visitor.post(f"/console/{path}", data=form).status_code == 404
    sign_in(visitor, *console_account)
    for path in (f"keys/{key}", f"operations/{operation}"):
        assert visitor.get(f"/console/{path}").status_code == 200


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_escapes_all_values_and_has_nothing_that_the_policy_forbids(template: Path) -> None:
    text = template.read_text()
    assert re.findall(r"\|\s*safe\b|autoescape|\bMarkup\b", text) == []
    assert re.findall(r"\sstyle=|\son\w+=|<style|<script(?! type=\"module\" src=)", text) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", text) == []
