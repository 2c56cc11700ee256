"""Requests to the server for tests, by the standard library alone."""

import json
from base64 import b64encode
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

_TIMEOUT = 60.0  # seconds


class RequestFailed(Exception):
    """The server answered with an error. `answer` is its body."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"HTTP {status}: {answer}")
        self.status = status
        self.answer = answer


class HttpClient:
    """Sends and receives JSON."""

    def __init__(self, base_url: str, user: str, password: str) -> None:
        self._base_url = base_url
        self._authorization = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"
        self._opener = build_opener(ProxyHandler({}))  # a proxy of the environment could not reach this machine

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of the answer, or None if it has no body. Raises `RequestFailed`."""
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._base_url + path, data, headers, method=method)  # noqa: S310 -- it is http
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            with error:
                raise RequestFailed(error.code, json.loads(error.read() or b"null")) from None
