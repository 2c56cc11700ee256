"""Parses JSON that clients send. The parser is stricter than Python's, and its errors quote nothing."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

from profile_lookup.errors import RequestRefused, TooDeep

MAX_DEPTH = 256
"""The limit of nested brackets. A body that fits a model has less than ten; Python's own limit differs by version."""
_NO_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[^][{}"]+', re.DOTALL)
"""Text without brackets: strings, the last of which may not end, and what is between them."""
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}


def parse_json(body: bytes) -> Any:
    """Return the parsed body. Raises `RequestRefused`."""
    with refusing_malformed_json():
        text = decoded_json(body)
        refuse_deep_json(text)
        return json.loads(text, parse_constant=refuse_constant)


@contextmanager
def refusing_malformed_json(first: int = 0) -> Iterator[None]:
    """Turn errors of the parser into `RequestRefused`. `first` is the position of the text that it parses."""
    try:
        yield
    except RecursionError:
        raise TooDeep(MAX_DEPTH) from None
    except ValueError as error:
        position = f" at character {first + error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise RequestRefused(f"body: expected JSON; it is malformed{position}") from None


def decoded_json(body: bytes) -> str:
    """Return the text of a body in UTF-8, or in UTF-16 or UTF-32, as `json.loads` does. Raises `ValueError`."""
    return body.decode(json.detect_encoding(body), "surrogatepass")


def refuse_deep_json(text: str) -> None:
    """Raise `RequestRefused` if brackets are nested deeper than `MAX_DEPTH`. How deep parsers go depends on Python."""
    if text.count("[") + text.count("{") > MAX_DEPTH:  # or else it cannot be
        brackets = _NO_BRACKETS.sub("", text)
        if max(accumulate(map(_STEP.__getitem__, brackets))) > MAX_DEPTH:
            raise TooDeep(MAX_DEPTH)


def refuse_constant(_name: str) -> None:
    raise ValueError  # NaN and Infinity, which Python parses although JSON does not have them
