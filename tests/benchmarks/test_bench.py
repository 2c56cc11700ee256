"""The benchmark runs and checks its own results. No test checks how fast anything is."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.databases import RUN_DIRECTORY
from tests.program.conftest import environment

ROOT = Path(__file__).parents[2]
TIMEOUT = 300  # seconds; long, because the machine may be busy


@pytest.fixture
def data() -> Iterator[Path]:
    """A directory for the databases that an unprivileged server can reach even if root runs the tests."""
    directory = Path(os.environ[RUN_DIRECTORY]) / uuid4().hex
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def run_benchmark(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def small_run_options(data: Path, output: Path) -> list[object]:
    return ["--size", "1k", "--rounds", 1, "--seconds", 0.3, "--load", "own", "--data", data, "--output", output]


@pytest.mark.slow
def test_lookups_are_compared_with_peers_that_give_the_same_answers(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    process = run_benchmark(
        *small_run_options(data, output), "--connections", "1,4", "--peers", "echo,naive", "--kinds", "phones,hundred",
        "--svg", tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "| 4           | naive " in process.stdout
    measured = {
        (each["contender"], each["kind"], each["connections"])
        for each in json.loads(output.read_text())["measurements"]
    }
    assert measured == {
        (contender, kind, connections)
        for contender in ("profile-lookup", "echo", "naive")
        for kind in ("phones", "hundred")
        for connections in (1, 4)
    }
    assert ET.parse(tmp_path / "throughput-phones-1k.svg").getroot().tag.endswith("svg")


@pytest.mark.slow
def test_the_peers_in_go_and_rust_are_measured_or_their_missing_packages_are_named(data: Path, tmp_path: Path) -> None:
    process = run_benchmark(
        *small_run_options(data, tmp_path / "results.json"), "--connections", "2,4", "--peers", "go,rust",
        "--svg", tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    for name, package in (("go", "golang-github-jackc-pgx-v4-dev"), ("rust", "librust-tokio-postgres-dev")):
        if re.search(rf"Without {name}: apt-get install .*{package}", process.stderr) is None:
            assert f"| 4           | {name} " in process.stdout
            assert f">{name} " in (tmp_path / "throughput-phones-1k.svg").read_text()


@pytest.mark.slow
def test_batches_are_compared_with_single_lookups(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    process = run_benchmark("batches", *small_run_options(data, output), "--batches", "10,100", "--kinds", "misses")
    assert process.returncode == 0, process.stderr
    assert "| misses | batches of 100, 1 connection " in process.stdout
    assert sorted(each["batch"] for each in json.loads(output.read_text())["measurements"]) == [1, 10, 100]


@pytest.mark.slow
def test_writes_are_compared_with_a_peer_that_gives_the_same_guarantees(data: Path, tmp_path: Path) -> None:
    process = run_benchmark(
        "writes", *small_run_options(data, tmp_path / "results.json"), "--connections", 4, "--kinds", "create,merge"
    )
    assert process.returncode == 0, process.stderr
    for kind in ("create", "merge"):
        assert f"### {kind}, 1k identifiers, 1 worker" in process.stdout


@pytest.mark.slow
@pytest.mark.parametrize("worldwide", [False, True])
def test_imports_are_compared_with_single_requests_and_a_copy_of_the_same_rows(
    data: Path, tmp_path: Path, *, worldwide: bool
) -> None:
    output = tmp_path / "results.json"
    process = run_benchmark(
        "imports", "--rows", 1000, "--beside", 5000, "--rounds", 1, "--seconds", 0.3, "--load", "own", "--data", data,
        "--output", output, *(("--worldwide",) if worldwide else ()),
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "| import is … times copy " in process.stdout
    results = json.loads(output.read_text())
    assert results["import"]["answer"]["progress"] == {
        "rowsDone": 1000, "rowsTotal": 1000, "created": 800, "updated": 180, "merged": 20,
        "refused": 0, "cellsIgnored": 0, "evicted": 0,
    }  # fmt: skip
    assert results["row by row"]["rows"] > 0
    assert [set(each) for each in results["lookups"]] == [{"alone", "beside", "rows_per_second_beside"}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (
            "lookups,start,memory",
            {"lookups, 4 connections: req/s", "start: s", "--version: s", "memory of it and its worker, PSS: MiB",
             "memory of the process that serves, resident: MiB"},
        ),
        (
            "writes,imports",
            {"create, 32 connections: req/s", "update, 32 connections: req/s", "merge, 32 connections: req/s",
             "import: rows/s"},
        ),
    ],
)  # fmt: skip
def test_a_commit_is_compared_with_this_checkout_and_with_itself(
    data: Path, tmp_path: Path, parts: str, expected: set[str]
) -> None:
    output = tmp_path / "results.json"
    process = run_benchmark(
        "against", "HEAD", *small_run_options(data, output), "--connections", 4, "--rows", 1000, "--only", parts
    )
    assert process.returncode == 0, process.stderr
    results = json.loads(output.read_text())
    measured: dict[str, set[str]] = {}
    for figure in results["figures"]:
        measured.setdefault(figure["what"], set()).add(figure["contender"])
    (other,) = results["others"]
    assert len(other) == 7
    assert all(contenders == {"here", other, "here again"} for contenders in measured.values())
    assert {what for what in measured if "CPU" not in what} == expected
    assert re.search(r"^\| [a-z-]+.* \| (yes|no) +\|$", process.stdout, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.usefixtures("citus_urls")
def test_citus_is_compared_with_plain_postgresql_and_with_a_commit_on_it(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    process = run_benchmark(
        "citus", "--against", "HEAD", "--stores", 2, "--people", 5, "--connections", 4, "--rounds", 1,
        "--seconds", 0.3, "--load", "own", "--data", data, "--output", output,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    results = json.loads(output.read_text())
    assert len(results["others"]) == 2
    assert {(each["what"], each["contender"]) for each in results["figures"]} == {
        (f"{what}: req/s", contender)
        for what in ("lookups, 2 stores", "lookups, 1 stores", "creates, 2 stores")
        for contender in ("here", *results["others"], "here again")
    }


def test_overload_is_measured_against_the_best_load(data: Path) -> None:
    process = run_benchmark(
        "overload",
        "--size",
        "1k",
        "--seconds",
        0.3,
        "--rounds",
        2,
        "--connections",
        "2,4",
        "--times",
        2,
        "--data",
        data,
    )
    assert process.returncode == 0, process.stderr
    for kind in ("lookups", "creates", "list"):
        assert re.search(rf"^\| {kind} \| [24] \| \d+ \| 1.00 \(1.00-1.00\) \|", process.stdout, re.MULTILINE)
        assert re.search(rf"^\| {kind}, 2 times \| [48] \| \d+ \| \d+\.\d+ \(", process.stdout, re.MULTILINE)


def test_an_invalid_option_is_reported_in_one_line() -> None:
    assert "'nobody' is none of echo, naive" in run_benchmark("--peers", "nobody").stderr
    assert "expected 1k-100M" in run_benchmark("--size", "5").stderr
    assert "bench: git rev-parse failed: " in run_benchmark("against", "no-such-revision").stderr
