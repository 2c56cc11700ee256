"""`profile-lookup serve`: what a newcomer runs first."""

import json
import shlex
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.program.conftest import PATIENCE, command, serving


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
    # The same number on the docs page and in the demo, so the same person: whose e-mail came first.
    by_email = command("demo", "--json", DATA_DIR=data_dir)
    assert json.loads(by_email.stdout).keys() == {
        "baseUrl", "accountSid", "authToken", "apiKey", "apiSecret", "storeId",
    }  # fmt: skip


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order(data_dir: Path, signal_number: int) -> None:
    with serving(DATA_DIR=data_dir) as (process, _):
        process.send_signal(signal_number)
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "Traceback" not in said
        assert not (data_dir / "data" / "postmaster.pid").exists()  # PostgreSQL is down, and was not killed


def test_requests_under_way_are_finished_before_the_end(data_dir: Path) -> None:
    with serving("--demo", DATA_DIR=data_dir) as (process, printed):
        base_url = printed[0].rpartition(" ")[2]
        client = json.loads(command("demo", "--json", DATA_DIR=data_dir).stdout)

        def create(number: int) -> int:
            return httpx.post(
                f"{base_url}/v1/Stores/{client['storeId']}/Profiles",
                json={"traits": {"Contact": {"chat": f"burst-{number}"}}},
                auth=(client["apiKey"], client["apiSecret"]),
                timeout=PATIENCE,
            ).status_code

        with ThreadPoolExecutor(16) as pool:
            first = pool.submit(create, 0)
            assert first.result() == 202
            started = [pool.submit(create, number) for number in range(1, 200)]
            while not any(future.done() for future in started):
                pass
            process.send_signal(signal.SIGTERM)
            # Those that came too late are refused a connection; nobody who got one goes without a whole answer.
            outcomes = [future.exception() or future.result() for future in started]
        assert process.wait(PATIENCE) == 0
    assert 202 in outcomes
    assert all(outcome == 202 or isinstance(outcome, httpx.ConnectError) for outcome in outcomes), outcomes
