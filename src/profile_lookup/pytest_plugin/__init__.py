"""The pytest plugin: a server for the tests of a session, and a store for each test (docs/testing.md).

pytest loads this module for everybody who has installed the package, so it imports the rest only when a test needs it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from profile_lookup.pytest_plugin.server import ProfileLookup
    from profile_lookup.pytest_plugin.store import Store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("profile_lookup_seed", "A seed file that the server begins with; its path starts at the root.")


@pytest.fixture(scope="session")
def profile_lookup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["ProfileLookup"]:
    """A server that runs until the session ends. With pytest-xdist, each worker has one."""
    from profile_lookup.pytest_plugin.server import running_server  # noqa: PLC0415 -- see above

    seed = request.config.getini("profile_lookup_seed")
    seed_file = request.config.rootpath / seed if seed else None
    with running_server(tmp_path_factory.mktemp("profile-lookup"), seed_file) as server:
        yield server


@pytest.fixture
def profile_lookup_store(profile_lookup: "ProfileLookup") -> "Store":
    """A new store without profiles, which only this test uses."""
    return profile_lookup.new_store()
