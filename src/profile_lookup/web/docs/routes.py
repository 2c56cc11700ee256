"""`/docs` and the pages below it. They need no network: Swagger UI comes from a package, the rest from this folder."""

import re
from collections.abc import Callable
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from profile_lookup.errors import NotFound
from profile_lookup.web.contract import STATUS_OF_CODE, status_of, title_of
from profile_lookup.web.docs.explanations import EXPLANATIONS
from profile_lookup.web.urls import EXAMPLE_ERROR_PAGES

_PACKAGE = "profile_lookup.web.docs"
_HEADERS = {
    # Swagger UI has its icons in `data:` addresses.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def install_docs(app: FastAPI) -> None:
    assets = StaticFiles(packages=[("fastapi_swagger", "resources"), (_PACKAGE, "assets")])
    app.mount("/docs/assets", assets, name="docs assets")

    def page(path: str) -> Callable[[Any], Any]:
        return app.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)

    @page("/docs")
    async def docs() -> HTMLResponse:
        return _answer(_file("docs.html"))

    @page("/docs/guides")
    async def guides() -> HTMLResponse:
        return _answer(_guides())

    @page("/docs/errors")
    async def errors() -> HTMLResponse:
        return _answer(_list_of_errors())

    @page("/docs/errors/{code}")
    async def error(code: str) -> HTMLResponse:
        """Raises `NotFound` if no answer has this code."""
        known = {str(each): each for each in EXPLANATIONS}
        if code not in known:
            raise NotFound
        return _answer(_error(known[code]))

    @page("/")
    async def root() -> RedirectResponse:
        return RedirectResponse("docs")


def _answer(html: str) -> HTMLResponse:
    return HTMLResponse(html, headers=_HEADERS)


@cache
def _file(name: str) -> str:
    return (files(_PACKAGE) / name).read_text(encoding="utf-8")


def _page(title: str, content: str, root: str) -> str:
    """Return a page. `root` is the relative address of the service: a proxy may serve it below some path."""
    return Template(_file("page.html")).substitute(title=title, content=content, root=root)


def _guides() -> str:
    example = f"{EXAMPLE_ERROR_PAGES}/520041"
    return _page("Guides", Template(_file("guides.html")).substitute(root="..", example=example), root="..")


def _list_of_errors() -> str:
    rows = "\n".join(
        f'<tr><td><a href="errors/{code}">{code}</a></td><td>{STATUS_OF_CODE[code]}</td>'
        f"<td>{EXPLANATIONS[code].title}</td></tr>"
        for code in sorted(STATUS_OF_CODE)
    )
    head = "<tr><th>Code</th><th>HTTP status</th><th>Meaning</th></tr>"
    return _page("Error codes", f"<table><thead>{head}</thead><tbody>\n{rows}\n</tbody></table>", root="..")


def _error(code: int) -> str:
    explanation = EXPLANATIONS[code]
    content = (
        f"<p>HTTP status {status_of(code)} {title_of(code)}</p>"
        f"<h2>What it means</h2><p>{_html(explanation.meaning)}</p>"
        f"<h2>What to do</h2><p>{_html(explanation.remedy)}</p>"
    )
    return _page(f"{code}: {explanation.title}", content, root="../..")


def _html(text: str) -> str:
    """Return a text as HTML, with what is between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
