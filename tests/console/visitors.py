"""Somebody who uses the console without a browser: with cookies, and without JavaScript."""

import re

import httpx


def token_in(page: httpx.Response) -> str:
    """Return the token of the first form in a page."""
    found = re.search('name="token" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def sign_in(visitor: httpx.Client, sid: str, secret: str, to: str = "") -> httpx.Response:
    """Sign in, and return the answer, or the page that it leads to if the visitor follows redirects."""
    form = {"token": token_in(visitor.get("/console/sign-in")), "sid": sid, "secret": secret, "to": to}
    return visitor.post("/console/sign-in", data=form)
