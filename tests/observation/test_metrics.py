"""What `/metrics` says of a service, and who may read it."""

import asyncio
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil
import pytest

from profile_lookup.metrics.catalogue import MERGES, OPERATIONS_WAITING
from profile_lookup.metrics.directory import ENVIRONMENT, metrics_directory, take_number
from profile_lookup.metrics.exporter import Exporter
from profile_lookup.metrics.exposition import exposition
from profile_lookup.settings import Settings
from tests.conftest import PATIENCE, change_settings, make_profile, make_store
from tests.observation.scrapes import Scrape
from tests.program.conftest import client_of, command, served_settings, serving, workers_of
from tests.running_service import serving as serving_in_thread
from tests.waiting import eventually

__all__ = ["served_settings"]

LOOKUPS = {"operation": "CreateProfilesLookup", "status": "200"}
REQUESTS = "profile_lookup_request_seconds_count"
PHONE, EMAIL = "+13175556789", "ann.secret@example.com"


def metrics_in(printed: Sequence[str]) -> str:
    """Return the address of the metrics that a service has printed."""
    (line,) = [line for line in printed if line.startswith("  Metrics:")]
    return line.split()[-1]


async def scrape_until(address: str, name: str, labels: dict[str, str], value: float) -> Scrape:
    """Return the first scrape in which these samples add up to at least this value."""
    async with asyncio.timeout(PATIENCE):
        while (scrape := await asyncio.to_thread(Scrape.of, address)).value(name, labels) < value:
            await asyncio.sleep(0.1)
    return scrape


async def look_up_often(client: httpx.AsyncClient, store_id: str, times: int) -> None:
    for _ in range(times):
        body = {"idType": "phone", "value": PHONE}
        assert (await client.post(f"/v1/Stores/{store_id}/Profiles/Lookup", json=body)).status_code == 200


async def test_the_metrics_of_all_processes_are_one_and_hold_no_personal_data(
    served_settings: dict[str, object], tmp_path: Path
) -> None:
    settings = served_settings | {"DATA_DIR": tmp_path, "WORKERS": 2, "METRICS_PORT": 0}
    with serving(**settings) as (_, printed):
        async with client_of(printed) as client:
            store_id = await make_store(client)
            await change_settings(
                client, store_id, email={"limit": 1, "limitPolicy": "fifo"}, loyalty={"normalization": "trim"}
            )
            ann, bob = [{"phone": PHONE}, {"email": EMAIL}]
            for contact in (
                ann,
                bob,
                ann | bob,
                ann | {"email": f"new.{EMAIL}"},
                ann | {"lastName": "n/a", "email": "n/a"},
            ):
                await make_profile(client, store_id, **contact)
            await look_up_often(client, store_id, 20)
            missing = await client.get(f"/v1/Stores/{store_id}/Profiles/mem_profile_00000000000000000000000000")
            assert missing.status_code == 404
        scrape = await scrape_until(metrics_in(printed), REQUESTS, LOOKUPS, 20)
        await scrape_until(metrics_in(printed), "profile_lookup_operations_waiting", {}, 0)
    assert scrape.value(REQUESTS, LOOKUPS) == 20
    assert scrape.value(REQUESTS, {"operation": "FetchProfile", "status": "404"}) == 1
    assert scrape.value("profile_lookup_lookups_per_statement_sum") == 20
    assert scrape.value("profile_lookup_writes_total", {"outcome": "created"}) == 2
    assert scrape.value("profile_lookup_merges_total") == 1
    assert scrape.value("profile_lookup_joins_total", {"id_type": "email"}) == 1
    assert scrape.value("profile_lookup_evicted_identifiers_total", {"id_type": "email"}) == 1
    assert scrape.value("profile_lookup_blocked_values_total", {"id_type": "email"}) == 1
    assert scrape.value("profile_lookup_pool_wait_seconds_count", {"waits_for": "connection"}) > 0
    assert scrape.value("profile_lookup_requests_limit", {"load": "lookups"}) >= 256
    for secret in (PHONE, EMAIL, store_id):
        assert secret not in scrape.text


def test_the_gauges_of_a_process_that_has_ended_are_gone_and_its_counters_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with metrics_directory() as directory:
        number, lock = take_number(directory)
        MERGES.add()
        OPERATIONS_WAITING.set(3, "import")
        Exporter(directory, number).copy()
        merges = Scrape(exposition(directory).decode()).value("profile_lookup_merges_total")
        assert Scrape(exposition(directory).decode()).value("profile_lookup_operations_waiting") == 3
        lock.close()  # as the kernel does when the process ends
        OPERATIONS_WAITING.values.clear()
        again, lock = take_number(directory)
        with lock:
            scrape = Scrape(exposition(directory).decode())
    assert again == number
    assert merges > 0
    assert scrape.value("profile_lookup_merges_total") == merges
    assert "profile_lookup_operations_waiting" not in scrape.families


def test_a_worker_that_has_ended_measures_no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with metrics_directory() as directory:
        number, lock = take_number(directory)
        OPERATIONS_WAITING.set(3, "import")
        Exporter(directory, number).copy()
        OPERATIONS_WAITING.values.clear()
        assert "profile_lookup_operations_waiting" in Scrape(exposition(directory).decode()).families
        lock.close()  # as the kernel does when the process ends
        assert "profile_lookup_operations_waiting" not in Scrape(exposition(directory).decode()).families


@pytest.mark.slow
def test_a_process_that_is_started_again_goes_on_with_the_files_of_the_one_that_died(
    served_settings: dict[str, object], tmp_path: Path
) -> None:
    settings = served_settings | {"DATA_DIR": tmp_path, "METRICS_PORT": 0}
    with serving(**settings) as (process, printed):
        eventually(lambda: Scrape.of(metrics_in(printed)).label_values("kind"))
        (worker,) = workers_of(process)
        directory = Path(worker.environ()[ENVIRONMENT])
        before = sorted(path.name for path in directory.iterdir())
        worker.kill()
        eventually(lambda: not psutil.pid_exists(worker.pid))
        eventually(lambda: workers_of(process))
        (gauges,) = directory.glob("gauge_livemostrecent_1.db")
        measured_at = gauges.stat().st_mtime_ns
        eventually(lambda: gauges.stat().st_mtime_ns > measured_at)
        assert sorted(path.name for path in directory.iterdir()) == before
    assert not directory.exists()


def test_the_files_of_a_service_that_was_killed_are_removed_by_the_next_one(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # where it has cached the directory
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "METRICS_PORT": 0, "RUN_OPERATIONS": False}
    with serving(**settings) as (process, _):
        (left,) = tmp_path.glob("profile-lookup-metrics-*")
        process.kill()
        process.wait(PATIENCE)
        assert left.exists()
    with metrics_directory():
        assert not left.exists()


def test_strangers_on_the_public_port_get_no_metrics_by_default(service_url: str) -> None:
    assert httpx.get(f"{service_url}/metrics").status_code == 404


def test_the_service_itself_answers_with_metrics_if_a_setting_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with serving_in_thread(settings.model_copy(update={"metrics": True, "allowed_hosts": "id.example.com"})) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
        scrape = Scrape.of(f"{url}/metrics")
        assert scrape.value(REQUESTS, {"operation": "healthz", "status": "200"}) >= 1


def test_serve_refuses_an_address_for_metrics_that_is_in_use_in_one_line(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("serve", "--port", "0", DATABASE_URL=database_url, DATA_DIR=tmp_path, METRICS_PORT=port)
    assert done.returncode == 1
    assert (
        done.stderr == f"profile-lookup: Cannot listen on 127.0.0.1 port {port} for metrics: Address already in use\n"
    )


def test_a_service_whose_processes_cannot_start_ends_with_an_error(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "missing"))
    done = command("serve", "--port", "0", DATABASE_URL=database_url, DATA_DIR=tmp_path, METRICS=True, WORKERS=2)
    assert done.returncode == 1
    assert done.stderr.endswith("profile-lookup: A process that serves could not start; the log says why\n")
