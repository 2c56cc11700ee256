"""`serve --ephemeral`, a server for tests."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import PATIENCE
from tests.databases import RUN_DIRECTORY
from tests.program.conftest import command, environment
from tests.program.forked import ForkedCommand
from tests.waiting import eventually

STORES = "/v1/ControlPlane/Stores"


@contextmanager
def ephemeral(directory: Path, *arguments: str, **settings: object) -> Iterator[tuple[ForkedCommand, dict[str, str]]]:
    """Start a server in a directory, and yield its process and the content of its ready file."""
    ready_file = directory / "ready.json"
    options = ["--ephemeral", "--port", "0", "--ready-file", str(ready_file)]
    with ForkedCommand(["serve", *options, *arguments], environment(**settings), directory=directory) as process:
        try:
            eventually(ready_file.exists)
            yield process, json.loads(ready_file.read_text())
        finally:
            process.kill()


def client_of(ready: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=ready["baseUrl"], auth=(ready["apiKey"], ready["apiSecret"]), timeout=PATIENCE)


def databases() -> set[str]:
    directory = Path(os.environ[RUN_DIRECTORY]) / "cache" / "ephemeral"
    return {path.name for path in directory.iterdir()} if directory.exists() else set()


def test_it_serves_from_a_private_directory_whatever_the_environment_says_of_a_service(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    of_a_service = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "HOST": "0.0.0.0", "WORKERS": 4, "DATA_DIR": "/proc",
    }  # fmt: skip
    with ephemeral(tmp_path, **of_a_service) as (process, ready):
        assert ready.keys() == {"baseUrl", "accountSid", "authToken", "apiKey", "apiSecret", "storeId"}
        assert ready["baseUrl"].startswith("http://127.0.0.1:")
        with client_of(ready) as client:
            assert client.get(f"{STORES}/{ready['storeId']}").status_code == 200
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert f"serves on {ready['baseUrl']}\n" in output
        assert ready["apiSecret"] in output
    assert list(tmp_path.iterdir()) == []  # the ready file is gone, too


def test_each_server_is_alone_and_new(tmp_path: Path) -> None:
    lists = []
    for name in ("first", "second"):
        directory = tmp_path / name
        directory.mkdir()
        with ephemeral(directory) as (_, ready), client_of(ready) as client:
            client.post(STORES, json={"displayName": name}).raise_for_status()
            lists.append(client.get(STORES).json()["stores"])
            before = databases()
    assert [len(stores) for stores in lists] == [2, 2]
    assert not set(lists[0]) & set(lists[1])
    eventually(lambda: not before & databases())


@pytest.mark.parametrize(
    "end", [signal.SIGINT, *(pytest.param(end, marks=pytest.mark.slow) for end in (signal.SIGTERM, signal.SIGKILL))]
)
def test_its_database_is_gone_at_the_end(tmp_path: Path, end: int) -> None:
    before = databases()
    with ephemeral(tmp_path) as (process, _):
        own = databases() - before
        assert own
        process.send_signal(end)
        process.wait(PATIENCE)
        eventually(lambda: not own & databases())


def test_it_ends_with_its_standard_input(tmp_path: Path) -> None:
    with ephemeral(tmp_path, "--end-with-stdin") as (process, _):
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


def test_a_new_store_blocks_placeholders_alone(tmp_path: Path) -> None:
    with ephemeral(tmp_path) as (_, ready), client_of(ready) as client:
        created = client.post(STORES, json={"displayName": "new"})
        store_id = client.get(created.json()["statusUrl"]).json()["result"]["id"]
        for each in (ready["storeId"], store_id):
            assert client.get(f"{STORES}/{each}/BlockedValues").json()["builtIn"] is False


def test_a_ready_file_that_a_former_run_left_is_removed_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "ready.json").write_text("{}")
    (tmp_path / "seed.yaml").write_text("stores: 1")
    seeded = command("serve", "--ephemeral", "--port", "0", "--ready-file", str(tmp_path / "ready.json"),
                     "--seed", str(tmp_path / "seed.yaml"))  # fmt: skip
    assert seeded.returncode == 1
    assert "seed.yaml" in seeded.stderr
    assert "Traceback" not in seeded.stderr
    assert not (tmp_path / "ready.json").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--ephemeral", "--demo"], "--demo"),
        (["--ephemeral", "--workers", "2"], "--workers"),
        (["--seed", "seed.yaml"], "--ephemeral"),
        (["--ready-file", "ready.json"], "--ephemeral"),
        (["--ephemeral", "--ready-file", "/nowhere/ready.json"], "/nowhere"),
    ],
)
def test_contradictions_are_refused(data_dir: Path, arguments: list[str], reason: str) -> None:
    refused = command("serve", "--port", "0", *arguments, DATA_DIR=data_dir)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert reason in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_the_ready_file_of_a_demo_is_what_the_demo_prints(data_dir: Path, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    arguments = ["serve", "--demo", "--port", "0", "--ready-file", str(ready_file)]
    with ForkedCommand(arguments, environment(DATA_DIR=data_dir)) as process:
        eventually(ready_file.exists)
        assert json.loads(ready_file.read_text()) == json.loads(command("demo", "--json", DATA_DIR=data_dir).stdout)
        assert ready_file.stat().st_mode & 0o777 == 0o600  # it holds secrets
        process.terminate()
