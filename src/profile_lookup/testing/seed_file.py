"""Reads a seed: YAML, whose plain scalars mean what they mean in JSON, or JSON itself."""

import re
from pathlib import Path
from typing import Any

import yaml

from profile_lookup.errors import OperatorError, RequestRefused
from profile_lookup.testing.wire import Seed
from profile_lookup.web.json_text import parse_json


def load_seed(path: Path) -> Seed:
    """Return the seed in a file. Raises `OperatorError`, which says where in the file what was expected."""
    try:
        content = path.read_bytes()
        return parse_seed(content, is_json=path.suffix.lower() == ".json")
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}") from None
    except RequestRefused as refusal:
        raise OperatorError(f"{path}: {refusal}") from None


def parse_seed(content: bytes, *, is_json: bool) -> Seed:
    """Return the seed in a file or a request's body. Raises `RequestRefused`."""
    return Seed.of(parse_json(content) if is_json else _parsed_yaml(content))


class _Loader(yaml.SafeLoader):
    """A loader for which `+13175551234` and `2026-01-15` are text, and `no` too, as they are in no way in JSON."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- it replaces the one of the base class


for _kind, _pattern, _first in (
    ("null", r"null|~|", "n~"),
    ("bool", r"true|false", "tf"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), [*_first, ""])


def _parsed_yaml(content: bytes) -> Any:
    """Return the content of the document. Raises `RequestRefused`, which says the line but quotes nothing."""
    try:
        return yaml.load(content, _Loader)  # noqa: S506 -- it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f" in line {mark.line + 1}"
        raise RequestRefused(f"seed: expected YAML; it is malformed{line}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RequestRefused("seed: expected YAML; it is malformed") from None
