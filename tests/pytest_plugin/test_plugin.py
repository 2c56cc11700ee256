"""The pytest plugin, in projects that use it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import PATIENCE
from tests.program.conftest import environment
from tests.pytest_plugin.conftest import run_tests

ROOT = Path(__file__).parents[2]

TEN_TESTS = """
import pytest
from twilio.rest.memory.v1.lookup import LookupList
from twilio.rest.memory.v1.profile import ProfileList


@pytest.mark.parametrize("number", range(10))
def test_a_caller_of_this_test_alone_is_found(profile_lookup_store, number):
    store = profile_lookup_store
    memory = store.twilio_client().memory.v1
    assert list(memory.profiles(store.id).list()) == []
    ann = memory.profiles(store.id).create(ProfileList.ProfileData({"traits": {"Contact": {"phone": "+13175556789"}}}))
    by_phone = LookupList.Identifier({"idType": "phone", "value": "(317) 555-6789"})
    assert memory.lookup(store.id).create(by_phone).profiles == [ann.id]
"""


def passes(project: Path, test: str, *arguments: str, **variables: str) -> str:
    """Run the test file, and return the output of its pytest."""
    (project / "test_project.py").write_text(test)
    ran = run_tests(project, *arguments, **variables)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.slow
def test_ten_tests_of_two_workers_have_clean_stores(tmp_path: Path) -> None:
    assert "10 passed" in passes(tmp_path, TEN_TESTS, "-p", "xdist.plugin", "-n", "2")


@pytest.mark.slow
def test_a_session_may_have_more_stores_than_an_account_of_the_original(tmp_path: Path) -> None:
    passes(
        tmp_path,
        """
def test_stores(profile_lookup):
    stores = {profile_lookup.new_store().id for _ in range(20)}
    accepted = profile_lookup._http.request("POST", "/v1/ControlPlane/Stores", {"displayName": "another"})
    assert len(stores) == 20 and accepted["statusUrl"]
""",
    )


FEATURES = """
from datetime import timedelta

import pytest
from profile_lookup.pytest_plugin.http_client import RequestFailed

LOOKUP = "/v1/Stores/{storeId}/Profiles/Lookup"

def test_a_store_looks_up_batches(profile_lookup_store):
    ann = profile_lookup_store.create_profile(phone="+13175556789")
    found, refused = profile_lookup_store.look_up_batch([("phone", "317 555 6789"), ("phone", "12")])
    assert found == {"normalizedValue": "+13175556789", "profiles": [ann]}
    assert refused["error"]["code"] == 520046

def test_faults_end_with_their_block(profile_lookup, profile_lookup_store):
    store = profile_lookup_store
    with profile_lookup.failing(503, times=5, method="POST", path=LOOKUP):
        with pytest.raises(RequestFailed) as failed:
            store.look_up("phone", "+13175556789")
        assert failed.value.status == 503
        assert store.create_profile(phone="+13175556789")
    assert len(store.look_up("phone", "+13175556789")) == 1
    with profile_lookup.failing(drop_connection=True), pytest.raises(OSError):
        store.look_up("phone", "+13175556789")

def test_the_clock_is_back_after_the_block(profile_lookup):
    before = profile_lookup.now()
    with profile_lookup.later(days=1):
        assert timedelta(hours=23) < profile_lookup.now() - before < timedelta(hours=25)
    assert abs(profile_lookup.now() - before) < timedelta(hours=1)

def test_without_twilio_the_remedy_is_named(profile_lookup_store):
    with pytest.raises(ModuleNotFoundError, match="pip install twilio"):
        profile_lookup_store.twilio_client()
"""


def test_one_session_uses_all_features_whatever_the_environment_says_of_a_service(tmp_path: Path) -> None:
    """One session has all these tests, because starting a session with a server takes longer than they do."""
    (tmp_path / "twilio.py").touch()  # hides the package: `twilio.rest` is missing
    output = passes(
        tmp_path,
        FEATURES,
        PROFILE_LOOKUP_DATABASE_URL="nonsense",
        PROFILE_LOOKUP_PUBLIC_URL="https://example.com",
        HTTP_PROXY="http://127.0.0.1:1",
    )
    assert "4 passed" in output


def test_a_reset_brings_back_the_seed_that_the_configuration_names(tmp_path: Path) -> None:
    (tmp_path / "customers.yaml").write_text("""
stores:
  - id: mem_store_00000000000000000000000001
    displayName: customers
    profiles:
      - traits: {Contact: {phone: "+13175556789"}}
""")
    (tmp_path / "pytest.ini").write_text("[pytest]\nprofile_lookup_seed = customers.yaml\n")
    passes(
        tmp_path,
        """
def test_seed(profile_lookup):
    store = profile_lookup.default_store
    assert store.id == "mem_store_00000000000000000000000001"
    assert len(store.look_up("phone", "+13175556789")) == 1
    store.create_profile(email="ann@example.com")
    profile_lookup.reset()
    assert store.look_up("email", "ann@example.com") == []
    assert len(store.look_up("phone", "+13175556789")) == 1
    (another,) = profile_lookup.seed({"stores": [{"displayName": "x", "profiles": [{"traits": {"Contact": {"email": "a@b.c"}}}]}]})
    assert len(another.look_up("email", "a@b.c")) == 1
    assert [each["method"] for each in profile_lookup.requests()] == ["POST"] * 3
""",
    )


def test_a_seed_that_is_refused_is_shown(tmp_path: Path) -> None:
    (tmp_path / "customers.yaml").write_text("stores: 1")
    (tmp_path / "pytest.ini").write_text("[pytest]\nprofile_lookup_seed = customers.yaml\n")
    (tmp_path / "test_seed.py").write_text("def test_seed(profile_lookup): pass")
    ran = run_tests(tmp_path)
    assert ran.returncode == 1
    assert "customers.yaml" in ran.stdout
    assert "Traceback" not in ran.stdout


@pytest.mark.slow
def test_the_server_ends_when_its_pytest_is_killed(tmp_path: Path) -> None:
    (tmp_path / "test_project.py").write_text("""
import os, signal, psutil

def test_killed(profile_lookup):
    (server,) = psutil.Process().children()
    print(server.pid, file=open("server", "w"), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
""")
    run_tests(tmp_path)
    server = int((tmp_path / "server").read_text())
    try:
        psutil.Process(server).wait(PATIENCE)
    except psutil.NoSuchProcess:
        return


def test_a_session_that_does_not_use_it_loads_one_module_of_it() -> None:
    script = """
import sys, pytest
before = {*sys.modules}
import profile_lookup.pytest_plugin
print(*sorted(sys.modules.keys() - before))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    assert loaded.stdout.split() == ["profile_lookup", "profile_lookup.pytest_plugin"]


@pytest.mark.skipif("WHEEL_PROJECT" not in os.environ, reason="installs packages: WHEEL_PROJECT=1 (CONTRIBUTING.md)")
def test_a_project_with_the_wheel_alone_runs_ten_tests_on_two_workers(tmp_path: Path) -> None:
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path], cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"])
    python = tmp_path / "venv" / "bin" / "python"
    pip = [f"{sys.base_prefix}/bin/python3", "-m", "pip", "--python", python]  # the Python that has pip
    run([*pip, "install", "--quiet", f"{wheel}[embedded]", "pytest", "pytest-xdist", "twilio"])
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_project.py").write_text(TEN_TESTS)
    for _ in range(2):  # the second time is what a user waits for each day
        output = run([python, "-m", "pytest", "-n", "2"], cwd=project)
        assert "10 passed" in output
        print(output.splitlines()[-1])  # noqa: T201 -- its time


def run(command: list[Any], cwd: Path | None = None) -> str:
    """Run a command that has to succeed, and return its output."""
    variables = {name: value for name, value in environment().items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    ran = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
