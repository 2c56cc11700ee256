"""`profile-lookup backup`: a service that is started on the copy has what was written before."""

import json
import os
import threading
from itertools import count
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.conftest import PATIENCE
from tests.databases import RUN_DIRECTORY
from tests.program.conftest import base_url_in, command, serving


@pytest.fixture
def copy() -> Path:
    return Path(os.environ[RUN_DIRECTORY]) / uuid4().hex


@pytest.mark.slow
def test_a_backup_during_writes_has_every_write_that_was_answered_before(data_dir: Path, copy: Path) -> None:
    answered: list[str] = []
    with serving("--demo", DATA_DIR=data_dir) as (_, printed):
        demo = json.loads(command("demo", "--json", DATA_DIR=data_dir).stdout)
        ended = threading.Event()
        writer = threading.Thread(target=_write, args=(demo, answered, ended))
        writer.start()
        while len(answered) < 20:
            assert writer.is_alive()
        before = len(answered)
        done = command("backup", str(copy), DATA_DIR=data_dir)
        ended.set()
        writer.join()
        assert base_url_in(printed) == demo["baseUrl"]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The backup is complete. To serve from it: PROFILE_LOOKUP_DATA_DIR={copy}\n"
    with serving("--demo", DATA_DIR=copy) as (_, printed), _client(demo, base_url_in(printed)) as client:
        found = [client.get(f"/v1/Stores/{demo['storeId']}/Profiles/{each}").status_code for each in answered[:before]]
    assert set(found) == {200}


def _write(demo: dict[str, str], answered: list[str], ended: threading.Event) -> None:
    with _client(demo, demo["baseUrl"]) as client:
        for number in count():
            contact = {"phone": f"+1317{5000000 + number}"}
            made = client.post(f"/v1/Stores/{demo['storeId']}/Profiles", json={"traits": {"Contact": contact}})
            answered.append(made.json()["id"])
            if ended.is_set():
                return


def _client(demo: dict[str, str], base_url: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, auth=(demo["apiKey"], demo["apiSecret"]), timeout=PATIENCE)


def test_a_backup_is_refused_of_a_server_and_into_a_directory_with_files(copy: Path, data_dir: Path) -> None:
    copy.mkdir()
    (copy / "file").touch()
    occupied = command("backup", str(copy), DATA_DIR=data_dir)
    of_server = command("backup", str(copy / "new"), DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert (occupied.returncode, of_server.returncode) == (1, 1)
    assert occupied.stderr == f"profile-lookup: {copy}: expected a new directory, or one that is empty\n"
    assert of_server.stderr == (
        "profile-lookup: backup copies the embedded database; for a server, use pg_dump or pg_basebackup\n"
    )
