"""What a client sends does not stay in memory: neither a refused body, nor the rules before each of many changes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import command, serving

MIB = 1 << 20
GROUPS, TRAITS, TEXT = 50, 95, "x" * 900


Credentials = tuple[str, str]


@dataclass(frozen=True)
class Service:
    pid: int
    base_url: str
    credentials: Credentials
    store_id: str

    def client(self, credentials: Credentials | None) -> httpx.Client:
        return httpx.Client(base_url=self.base_url, auth=credentials, timeout=PATIENCE)

    @contextmanager
    def growing_less_than(self, limit: int) -> Iterator[None]:
        """Assert that the process needs at most so many bytes more than now while the block runs."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")  # the peak begins anew
        before = self._peak()
        yield
        assert self._peak() - before < limit

    def _peak(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "RUN_OPERATIONS": False}
    with serving("--demo", **settings) as (process, printed):
        demo = json.loads(command("demo", "--json", **settings).stdout)
        base_url = printed[0].rpartition(" ")[2]
        running = Service(process.pid, base_url, (demo["apiKey"], demo["apiSecret"]), demo["storeId"])
        with running.client(running.credentials) as client:
            client.get(f"/v1/Stores/{running.store_id}/Profiles")  # what is loaded at the first request
        yield running


@pytest.mark.parametrize("caller", ["nobody", "a stranger", "an admitted caller"])
def test_sixteen_mebibytes_of_empty_objects_are_refused_without_being_parsed_or_kept(
    service: Service, caller: str
) -> None:
    body = b"[" + b"{}," * (16 * MIB // 3 - 1) + b"{}]"
    credentials = {"nobody": None, "a stranger": ("AC00", "wrong"), "an admitted caller": service.credentials}[caller]
    path = f"/v1/Stores/{service.store_id}/Profiles/Bulk"
    with service.client(credentials) as client, service.growing_less_than(20 * MIB):
        for _ in range(2):
            answer = client.put(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == (413 if caller == "an admitted caller" else 401)


def test_changes_of_a_large_trait_group_leave_nothing_of_the_rules_before(service: Service) -> None:
    groups = f"/v1/ControlPlane/Stores/{service.store_id}/TraitGroups"
    traits = {f"trait{number}": {"dataType": "STRING", "description": TEXT} for number in range(TRAITS)}

    def change(count: int) -> None:
        for number in range(count):
            changed = client.patch(f"{groups}/Group0", json={"description": f"change {number}"})
            assert changed.status_code == 202, changed.text

    with service.client(service.credentials) as client:
        for number in range(GROUPS - 1):
            created = client.post(groups, json={"displayName": f"Group{number}", "traits": traits})
            assert created.status_code == 202, created.text
        change(2)
        with service.growing_less_than(40 * MIB):
            change(60)
