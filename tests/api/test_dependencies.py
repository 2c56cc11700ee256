"""The dependencies that FastAPI calls for each request."""

import inspect
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from profile_lookup.app import FEATURES


def test_no_request_waits_for_a_thread() -> None:
    """FastAPI calls a function that is not asynchronous in a thread, which takes longer than most of our own work."""
    routes = [route for feature in FEATURES for route in feature.router.routes if isinstance(route, APIRoute)]
    called = [call for route in routes for call in _called(route.dependant)]
    assert len(called) > len(routes) > 20
    assert [call for call in called if not _is_asynchronous(call)] == []


def _called(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for each in dependant.dependencies:
        yield from _called(each)


def _is_asynchronous(call: object) -> bool:
    function = call if inspect.isfunction(call) else type(call).__call__  # for callable objects
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
