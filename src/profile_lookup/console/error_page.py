"""Makes the page that says what went wrong and what the reader can do. Programs are sent JSON instead."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Scope

from profile_lookup.console.navigation import PREFIX
from profile_lookup.console.templating import html_page, root_of
from profile_lookup.errors import TooManyRequests
from profile_lookup.web.contract import CRASH_MESSAGE, CRASH_STATUS
from profile_lookup.web.wire import Error

_WORDS = {
    CRASH_MESSAGE: "The service has a defect, which ended this request",
    str(TooManyRequests(1)): "You have sent too many requests in a short time",
    HTTPStatus.NOT_FOUND.phrase: "Nothing is here. It may have been erased, or it never was in this store",
    HTTPStatus.METHOD_NOT_ALLOWED.phrase: "This address takes no form",
}
"""What people are told instead of messages that only programs understand."""

_SEND_THE_ID = "send the ID of this request to those who run the service: it leads them to what happened."
_RETRY_AFTER = "Retry-After"


async def error_page(scope: Scope, error: Error, headers: Mapping[str, str]) -> Response | None:
    """Return the page of an error, with the links at its top if the caller is signed in; None for other paths."""
    if scope["path"] != PREFIX and not scope["path"].startswith(f"{PREFIX}/"):
        return None
    # What crashed may be what makes the other pages, so the page of a crash needs nothing of theirs.
    page = None if error.status == CRASH_STATUS else scope["state"].get("page")
    values = {
        "title": HTTPStatus(error.status).phrase.capitalize(),
        "message": _message_of(error),
        "advice": _advice(error.status, scope["method"], headers),
        "request_id": scope["state"]["request_id"],
    }
    if page is None:
        values |= {"page": None, "root": root_of(scope["path"])}
        answer: Response = html_page("error.html", error.status, values)
    else:
        answer = await page.render("error.html", error.status, **values)
    answer.headers.update(headers)
    return answer


def _message_of(error: Error) -> str:
    """Return the message as a sentence for people. The title says already what the status means."""
    message = error.message.removeprefix(f"{HTTPStatus(error.status).phrase}: ")
    return _WORDS.get(message) or f"{message[:1].upper()}{message[1:]}"


def _advice(status: int, method: str, headers: Mapping[str, str]) -> str:
    """Return what the reader can do; nothing if the message says it."""
    if status == CRASH_STATUS:
        look_first = "See whether your change was made, and if not, try it" if method == "POST" else "Try it"
        return f"{look_first} once more. If it happens again, {_SEND_THE_ID}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return f"Try it again after {_seconds(headers)}."
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return f"Try it again after {_seconds(headers)}. If it does not get better, {_SEND_THE_ID}"
    return ""


def _seconds(headers: Mapping[str, str]) -> str:
    seconds = headers.get(_RETRY_AFTER, "1")
    return "a second" if seconds == "1" else f"{seconds} seconds"
