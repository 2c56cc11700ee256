"""What people see when the service cannot do what they want: a page, and never the JSON that programs are sent."""

from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from profile_lookup.app import create_app
from profile_lookup.errors import OutcomeUnknown, Overloaded
from profile_lookup.settings import Settings
from tests.conftest import BASE_URL

VALUE = "ann@example.com"


async def _crash() -> None:
    raise RuntimeError(VALUE)


async def _lose_connection() -> None:
    raise OutcomeUnknown


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """An application with two further pages, which fail."""
    created = create_app(settings)
    for path, endpoint in (("/console/defect", _crash), ("/console/lost", _lose_connection)):
        created.router.routes.insert(0, APIRoute(path, endpoint, methods=["GET", "POST"]))
    async with created.router.lifespan_context(created):
        yield created


@pytest.fixture
async def visitor(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as opened:
        yield opened


def is_page_with_request_id(answer: httpx.Response) -> bool:
    return (
        answer.headers["content-type"].startswith("text/html")
        and "default-src 'none'" in answer.headers["content-security-policy"]
        and answer.headers["cache-control"] == "no-store"
        and f'ID of this request: <span class="id">{answer.headers["X-Request-Id"]}</span>' in answer.text
    )


async def test_a_crash_has_a_page_that_says_what_to_do_and_nothing_of_its_cause(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/console/defect")
    assert page.status_code == 500
    assert is_page_with_request_id(page)
    assert "Try it once more. If it happens again, send the ID of this request" in page.text
    for hidden in (VALUE, "RuntimeError", "Traceback"):
        assert hidden not in page.text


async def test_somebody_whose_form_crashed_is_told_to_see_whether_the_change_was_made(
    visitor: httpx.AsyncClient,
) -> None:
    page = await visitor.post("/console/defect", data={"value": VALUE})
    assert page.status_code == 500
    assert "See whether your change was made, and if not, try it once more." in page.text


async def test_overload_has_a_page_that_says_when_to_try_again(app: FastAPI, visitor: httpx.AsyncClient) -> None:
    with suppress(Overloaded):
        while True:
            app.state.services.load_limits.pooled.begin()
    page = await visitor.get("/console/sign-in")
    assert page.status_code == 503
    assert page.headers["Retry-After"] == "1"
    assert is_page_with_request_id(page)
    assert "<h1>Service unavailable</h1>" in page.text
    assert "More requests are under way than can be answered soon." in page.text
    assert "Try it again after a second." in page.text


async def test_somebody_whose_change_may_have_been_made_is_told_so(visitor: httpx.AsyncClient) -> None:
    page = await visitor.post("/console/lost")
    assert page.status_code == 503
    assert is_page_with_request_id(page)
    assert "so it may have been done" in page.text


async def test_a_form_sent_to_an_address_without_one_is_answered_by_a_page(visitor: httpx.AsyncClient) -> None:
    page = await visitor.post("/console")
    assert page.status_code == 405
    assert page.headers["Allow"] == "GET"
    assert is_page_with_request_id(page)


async def test_programs_are_still_answered_in_json(app: FastAPI, visitor: httpx.AsyncClient) -> None:
    for path in ("/v1/nowhere", "/consoles", "/assets/console/nowhere.css"):
        answer = await visitor.get(path)
        assert answer.status_code == 404
        assert answer.json()["code"] == 20404
