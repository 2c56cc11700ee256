"""Two processes behind nginx are upgraded one after the other, from the previous release to this code, under load."""

import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.conftest import PATIENCE
from tests.deploy.conftest import Proxy, free_port, nginx
from tests.program.conftest import ACCOUNT, TOKEN, environment

CALLERS = 8
SECONDS_BETWEEN = 2  # of load, before and after each restart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx"),
]


@dataclass(frozen=True)
class Instance:
    """One of the two places of the service, which a process of either version takes."""

    port: int
    settings: dict[str, object]

    @contextmanager
    def running(self, source: Path) -> Iterator[None]:
        """Run the code of a source directory there; at the end, stop it as systemd and Kubernetes do."""
        log = Path(str(self.settings["DATA_DIR"])).with_suffix(".log")
        with log.open("a") as output, subprocess.Popen(
            [sys.executable, "-P", "-m", "profile_lookup", "serve", "--port", str(self.port)],
            env=environment(**self.settings) | {"PYTHONPATH": str(source)}, stdout=output, stderr=output,
        ) as process:  # fmt: skip
            try:
                self._wait_until_ready(process)
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        pytest.fail("the service did not become ready")


@dataclass
class Load:
    """Callers who create, look up and fetch profiles without a pause."""

    proxy: Proxy
    store: str
    ended: threading.Event = field(default_factory=threading.Event)
    answers: Counter[str] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def running(self) -> Iterator[None]:
        callers = [threading.Thread(target=self._call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            self.ended.set()
            for caller in callers:
                caller.join()

    def _call(self) -> None:
        profiles = f"/v1/Stores/{self.store}/Profiles"
        with self.proxy.client() as client:
            while not self.ended.is_set():
                phone = f"+1317{5000000 + next(self.numbers)}"
                created = self._request(client, "POST", profiles, {"traits": {"Contact": {"phone": phone}}})
                self._request(client, "POST", f"{profiles}/Lookup", {"idType": "phone", "value": phone})
                if created is not None and created.is_success:
                    self._request(client, "GET", f"{profiles}/{created.json()['id']}")

    def _request(self, client: httpx.Client, method: str, path: str, body: object = None) -> httpx.Response | None:
        began = time.monotonic()
        try:
            answer = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.answers[f"{method} {type(error).__name__}"] += 1
            return None
        self.durations.append(time.monotonic() - began)
        self.answers[f"{method} {answer.status_code}"] += 1
        return answer


def test_no_request_fails_while_two_processes_behind_nginx_are_upgraded(
    empty_database_url: str, previous_release: str, source_directory: Callable[[str | None], Path], tmp_path: Path
) -> None:
    before, now = source_directory(previous_release), source_directory(None)
    instances = [
        Instance(
            free_port(),
            {
                "DATABASE_URL": empty_database_url, "DATA_DIR": tmp_path / f"data{number}", "STOP_DELAY_SECONDS": 2,
                "BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": TOKEN,
            },
        )
        for number in range(2)
    ]  # fmt: skip
    _migrate(before, empty_database_url)
    (tmp_path / "proxy").mkdir()
    with ExitStack() as stack:
        old = [stack.enter_context(ExitStack()) for _ in instances]
        for each, instance in zip(old, instances, strict=True):
            each.enter_context(instance.running(before))
        proxy = stack.enter_context(nginx(tmp_path / "proxy", [f"127.0.0.1:{each.port}" for each in instances]))
        load = Load(proxy, _make_store(proxy))
        with load.running():
            time.sleep(SECONDS_BETWEEN)
            _migrate(now, empty_database_url)
            for each, instance in zip(old, instances, strict=True):
                time.sleep(SECONDS_BETWEEN)
                each.close()
                stack.enter_context(instance.running(now))
            time.sleep(SECONDS_BETWEEN)
    percentiles = statistics.quantiles(load.durations, n=1000)
    figures = f"p50 {percentiles[499]:.3f} s, p99.9 {percentiles[998]:.3f} s, at most {max(load.durations):.3f} s"
    print(f"{load.answers}; {figures}")  # noqa: T201 -- figures for docs/decisions/0066-deployment.md
    assert set(load.answers) == {"POST 202", "POST 200", "GET 200"}
    assert load.answers["POST 202"] == load.answers["POST 200"] == load.answers["GET 200"]


def _migrate(source: Path, database_url: str) -> None:
    subprocess.run(
        [sys.executable, "-P", "-m", "profile_lookup", "migrate"],
        env=environment(DATABASE_URL=database_url) | {"PYTHONPATH": str(source)}, check=True, capture_output=True,
    )  # fmt: skip


def _make_store(proxy: Proxy) -> str:
    with proxy.client() as client:
        operation = client.post("/v1/ControlPlane/Stores", json={"displayName": "customers"}).json()["statusUrl"]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            made = client.get(operation).json()
            if made["status"] == "COMPLETED":
                return str(made["result"]["id"])
            time.sleep(0.05)
    pytest.fail("the store was not made")
