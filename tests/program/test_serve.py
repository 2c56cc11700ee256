"""`profile-lookup serve`, the first command of a new user."""

import asyncio
import json
import shlex
import signal
import socket
import subprocess
import sys
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import psutil
import pytest

from profile_lookup.serving.processes import uvicorn_config
from profile_lookup.settings import load_settings
from tests.conftest import PATIENCE
from tests.console.visitors import token_in
from tests.program.conftest import base_url_in, command, service_of, serving, wait_until_blocked


def test_the_printed_curl_finds_a_merged_profile_and_restarting_keeps_it(data_dir: Path) -> None:
    answers = []
    for _ in range(2):
        with serving("--demo", DATA_DIR=data_dir) as (_, printed):
            curl = printed[-1]
            answer = subprocess.run(shlex.split(curl), capture_output=True, text=True, check=True, timeout=PATIENCE)
            answers.append(json.loads(answer.stdout))
    assert answers[0]["normalizedValue"] == "+13175556789"
    assert len(answers[0]["profiles"]) == 1
    assert answers[0] == answers[1]


def test_the_printed_link_signs_in_to_the_console_once(data_dir: Path) -> None:
    with serving("--demo", DATA_DIR=data_dir) as (_, printed):
        (link,) = [line.split()[-1] for line in printed if line.startswith("  Console:")]
        address, _, code = link.partition("#code=")
        for expected in ("Who is calling?", "was used before"):
            with httpx.Client(follow_redirects=True, timeout=PATIENCE) as visitor:
                form = {"token": token_in(visitor.get(address)), "code": code}
                assert expected in visitor.post(f"{address}/code", data=form).text


def test_the_demo_contains_a_merged_profile(database_url: str, tmp_path: Path) -> None:
    shown = json.loads(command("demo", "--json", DATABASE_URL=database_url, DATA_DIR=tmp_path).stdout)
    assert shown.keys() == {"baseUrl", "accountSid", "authToken", "apiKey", "apiSecret", "storeId"}

    async def counts() -> tuple[int, int]:
        connection = await asyncpg.connect(database_url)
        profiles = await connection.fetchval("select count(*) from profile")
        aliases_of_the_number = await connection.fetchval(
            "select count(*) from identifier join alias using (profile_id) where value = '+13175556789'"
        )
        await connection.close()
        return profiles, aliases_of_the_number

    profiles, aliases_of_the_number = asyncio.run(counts())
    assert aliases_of_the_number == 1
    assert profiles > 200


@pytest.mark.parametrize("signal_number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_ends_everything_in_order(data_dir: Path, signal_number: int) -> None:
    with serving(DATA_DIR=data_dir) as (process, _):
        process.send_signal(signal_number)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert not (data_dir / "data" / "postmaster.pid").exists()  # PostgreSQL was shut down, not killed


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_a_running_request_is_finished_before_the_end_and_new_clients_are_refused(
    database_url: str, tmp_path: Path, workers: int
) -> None:
    settings = {"DATABASE_URL": database_url, "DATA_DIR": tmp_path, "WORKERS": workers}
    with serving("--demo", **settings) as (process, printed):
        service = service_of(process, printed, settings)
        body = {"traits": {"Contact": {"phone": "+13175556789"}}}
        connection = await asyncpg.connect(database_url)
        async with service.async_client() as client:
            async with connection.transaction():
                await connection.execute("select from profile for update")  # makes the request wait
                under_way = asyncio.create_task(client.post(service.profiles, json=body))
                await wait_until_blocked(connection)
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(PATIENCE):
                    while not await _is_refused(service.base_url):
                        await asyncio.sleep(0.01)
                assert not under_way.done()
            assert (await under_way).status_code == 202
        await connection.close()
        assert process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_an_idle_connection_is_kept_as_long_as_the_setting_says(database_url: str) -> None:
    """The default is longer than this test waits, so it passes only if the setting is in force."""
    kept = load_settings(database_url=database_url).keep_alive_seconds
    assert uvicorn_config("", load_settings(database_url=database_url)).timeout_keep_alive == kept == 75
    assert kept > PATIENCE
    with serving(DATABASE_URL=database_url, KEEP_ALIVE_SECONDS=1) as (_, printed):
        address = urlsplit(base_url_in(printed))
        with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
            for _ in range(2):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = HTTPResponse(connection)
                answer.begin()
                assert (answer.status, answer.read()) == (200, b'{"status":"ok"}')
            assert connection.recv(1) == b""


def test_the_demo_names_the_address_of_the_service_that_runs(data_dir: Path) -> None:
    with serving("--demo", DATA_DIR=data_dir) as (_, printed):
        demo = json.loads(command("demo", "--json", DATA_DIR=data_dir, PORT=0).stdout)
        assert demo["baseUrl"] == base_url_in(printed)
        assert httpx.get(f"{demo['baseUrl']}/readyz", timeout=PATIENCE).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "address"), [({}, "http://127.0.0.1:8000"), ({"PORT": 81}, "http://127.0.0.1:81")]
)
def test_without_a_service_the_demo_names_the_address_of_the_settings(
    database_url: str, tmp_path: Path, settings: dict[str, object], address: str
) -> None:
    (tmp_path / "address").write_text("http://127.0.0.1:1")  # a service that was killed left it
    shown = command("demo", "--json", DATABASE_URL=database_url, DATA_DIR=tmp_path, **settings)
    assert json.loads(shown.stdout)["baseUrl"] == address


def test_the_demo_names_no_port_zero(database_url: str, tmp_path: Path) -> None:
    refused = command("demo", "--json", DATABASE_URL=database_url, DATA_DIR=tmp_path, PORT=0)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "PROFILE_LOOKUP_PORT" in refused.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process says what it waits for")
@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_it_says_that_it_serves_when_each_process_accepts_clients(
    database_url: str, tmp_path: Path, workers: int
) -> None:
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path, WORKERS=workers) as (process, printed):
        port = int(printed[0].rpartition(":")[2])
        family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children())]
        assert len([pid for pid in family if _accepts(pid, port)]) == workers


def _accepts(pid: int, port: int) -> bool:
    """Return whether the process waits for clients of the port: whether an epoll of its watches a socket of it."""
    listening = psutil.Process(pid).net_connections("tcp4")
    watched = {
        int(line.split()[1])
        for fd in Path(f"/proc/{pid}/fd").iterdir()
        if str(fd.readlink()) == "anon_inode:[eventpoll]"
        for line in Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().splitlines()
        if line.startswith("tfd:")
    }
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.fd in watched for each in listening
    )


async def _is_refused(base_url: str) -> bool:
    """Return whether a new connection is refused at once."""
    try:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            await client.get(f"{base_url}/healthz")
    except httpx.ConnectError:
        return True
    except httpx.TransportError:  # the connection was accepted just before the end, and then reset
        return False
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "is_warned_of"),
    [({"HOST": "0.0.0.0"}, True), ({"HOST": "0.0.0.0", "PUBLIC_URL": "https://id.example.com"}, False), ({}, False)],
)
def test_the_operator_is_warned_if_others_can_reach_a_service_without_a_public_url(
    database_url: str, tmp_path: Path, settings: dict[str, str], is_warned_of: bool
) -> None:
    with serving(DATABASE_URL=database_url, DATA_DIR=tmp_path, **settings) as (process, _):
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    assert ("PROFILE_LOOKUP_PUBLIC_URL is not set" in errors) == is_warned_of
