"""The server of a test session: a child process, and what tests do with it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from json import loads
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from profile_lookup.pytest_plugin.http_client import HttpClient, RequestFailed
from profile_lookup.pytest_plugin.store import Store

_PREFIX = "PROFILE_LOOKUP_"
_KEPT_SETTINGS = {f"{_PREFIX}CACHE_DIR", f"{_PREFIX}LOG_LEVEL"}
_MAX_STORES = "1000000"  # the original's limit of 15 would end a session after 15 tests
_PATIENCE = 120.0  # seconds; the first start of a version on a busy machine takes some
_NOT_FOUND = 404


class ProfileLookup:
    """A server for tests. `base_url`, and the credentials of an account and of its key, are what a client needs."""

    def __init__(self, client: Mapping[str, str]) -> None:
        self.base_url = client["baseUrl"]
        self.account_sid = client["accountSid"]
        self.auth_token = client["authToken"]
        self.api_key = client["apiKey"]
        self.api_secret = client["apiSecret"]
        self._http = HttpClient(self.base_url, self.api_key, self.api_secret)
        self._default_store_id = client["storeId"]

    @property
    def default_store(self) -> Store:
        """The store that the server begins with: the first one of the seed, if there is a seed."""
        return self.store(self._default_store_id)

    def store(self, store_id: str) -> Store:
        """Return a store by its ID, for example one of the seed."""
        return Store(self, self._http, store_id)

    def new_store(self) -> Store:
        """Make a store without profiles."""
        (store,) = self.seed({"stores": [{"displayName": f"test-{uuid4().hex}"}]})
        return store

    def seed(self, document: Mapping[str, Any]) -> list[Store]:
        """Make the stores of a seed, with their profiles. The format is that of a seed file (docs/seeds.md)."""
        seeded = self._http.request("POST", "/testing/seed", document)
        return [self.store(each["id"]) for each in seeded["stores"]]

    def reset(self) -> None:
        """Bring everything back to what it was when the server had started: stores made since then are gone."""
        self._http.request("POST", "/testing/reset")

    def requests(self) -> list[dict[str, Any]]:
        """Return the last requests, oldest first: method, path, pathTemplate, status, sid and body."""
        recorded: list[dict[str, Any]] = self._http.request("GET", "/testing/requests")["requests"]
        return recorded

    @contextmanager
    def failing(
        self,
        status: int | None = None,
        *,
        times: int = 1,
        method: str | None = None,
        path: str | None = None,
        retry_after: int | None = None,
        delay_seconds: float = 0,
        drop_connection: bool = False,
    ) -> Iterator[None]:
        """Let the next requests fail, `times` of them, while the block runs.

        `method` and `path` limit the fault to requests that have them; `path` is one request's or a template, such as
        `/v1/Stores/{storeId}/Profiles/Lookup`. `retry_after` and `delay_seconds` are in seconds.
        """
        fault = {
            "status": status, "times": times, "method": method, "path": path, "retryAfter": retry_after,
            "delaySeconds": delay_seconds, "dropConnection": drop_connection,
        }  # fmt: skip
        given = {name: value for name, value in fault.items() if value is not None}
        fault_id = self._http.request("POST", "/testing/faults", given)["id"]
        try:
            yield
        finally:
            self._remove_fault(fault_id)

    def _remove_fault(self, fault_id: str) -> None:
        try:
            self._http.request("DELETE", f"/testing/faults/{fault_id}")
        except RequestFailed as error:
            if error.status != _NOT_FOUND:  # it has affected all its requests, or a reset has removed it
                raise

    def now(self) -> datetime:
        """Return the server's time."""
        return datetime.fromisoformat(self._http.request("GET", "/testing/clock")["now"])

    @contextmanager
    def later(self, **duration: float) -> Iterator[None]:
        """Put the server's clock forward while the block runs. The arguments are those of `timedelta`: `days=1`."""
        seconds = timedelta(**duration).total_seconds()
        self._http.request("PUT", "/testing/clock", {"advanceSeconds": seconds})
        try:
            yield
        finally:
            self._http.request("PUT", "/testing/clock", {"advanceSeconds": -seconds})

    def twilio_client(self) -> Any:
        """Return a `twilio.rest.Client` for this server. Raises `ModuleNotFoundError` if twilio is not installed."""
        try:
            from twilio.rest import Client  # noqa: PLC0415 -- only tests that use it need it
        except ModuleNotFoundError:
            raise ModuleNotFoundError("twilio_client() needs the package twilio: pip install twilio") from None
        client = Client(self.api_key, self.api_secret, self.account_sid)
        client.memory.base_url = self.base_url
        client.http_client.session.trust_env = False  # a proxy of the environment could not reach this machine
        return client


@contextmanager
def running_server(directory: Path, seed_file: Path | None) -> Iterator[ProfileLookup]:
    """Run a server, whose log is in `directory`, while the block runs. It ends also if this process is killed."""
    ready_file, log_file = directory / "ready.json", directory / "server.log"
    seed = [] if seed_file is None else ["--seed", str(seed_file)]
    with (
        log_file.open("wb") as log,
        subprocess.Popen(  # noqa: S603 -- our own program
            # -P: no module is loaded from the working directory, which may hold anything.
            [
                sys.executable, "-P", "-m", "profile_lookup", "serve", "--ephemeral", "--port", "0",
                "--ready-file", ready_file, "--end-with-stdin", *seed,
            ],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            process_group=0,  # Ctrl-C in a terminal is for pytest, whose fixtures may still use the server
        ) as process,
    ):  # fmt: skip
        try:
            _wait(process, ready_file, log_file)
            yield ProfileLookup(loads(ready_file.read_text()))
        finally:
            process.terminate()


def _environment() -> dict[str, str]:
    """Return the environment without the settings of a service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX) or name in _KEPT_SETTINGS}
    return kept | {f"{_PREFIX}MAX_STORES": _MAX_STORES}


def _wait(process: subprocess.Popen[bytes], ready_file: Path, log_file: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"profile-lookup does not serve:\n{log_file.read_text(errors='replace')}", pytrace=False)
        time.sleep(0.01)
