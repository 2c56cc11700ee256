"""Measures what metrics, the audit log and traces cost a Lookup: the same service with each of them, round by round."""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import count, size
from benchmarks.checkouts import product_here
from benchmarks.contenders import CpuMeter, Server, postmaster, serving_product
from benchmarks.datasets import embedded_postgres, ensure_dataset
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load
from benchmarks.progress import say
from benchmarks.workload import REQUESTS, Workload
from profile_lookup.database.embedded.roles import SUPERUSER
from profile_lookup.settings import PREFIX

OFF = "off"
_STRIDE = 20_011  # requests, so that a measurement does not repeat recent ones


@dataclass(frozen=True, slots=True)
class ObservationOptions:
    size: str
    connections: int
    rounds: int
    seconds: float


def add_observation_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_run)
    parser.add_argument("--size", type=size, default="100k", help="identifiers (default: 100k)")
    parser.add_argument("--connections", type=count, default=32, help="(default: %(default)s)")


def _run(options: argparse.Namespace) -> None:
    selected = ObservationOptions(options.size, options.connections, options.rounds, options.seconds)
    for line in measure_observation(selected, Load(options.load), options.data):
        print(line, flush=True)


def variants(directory: Path) -> Mapping[str, Mapping[str, object]]:
    """Return the settings of each service, by its name. Nobody receives the traces, which are dropped."""
    audit = {"AUDIT": True, "AUDIT_FILE": directory / "audit.jsonl"}
    return {
        OFF: {},
        "off, again": {},
        "metrics": {"METRICS_PORT": 0},
        "audit, one of a hundred": audit | {"AUDIT_SAMPLE": 0.01},
        "audit, all": audit,
        "traces": {"TRACES": True},
    }


def measure_observation(options: ObservationOptions, load: Load, data: Path) -> Iterator[str]:
    """Yield the lines of a table. Raises `BenchmarkError` if a request failed."""
    with ExitStack() as stack:
        postgres = stack.enter_context(embedded_postgres(data))
        dataset = ensure_dataset(postgres, options.size)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [
            stack.enter_context(serving_product(product_here(name), dataset, 1, load, _environment(settings)))
            for name, settings in variants(directory).items()
        ]
        workload = Workload(dataset.population, "phones", "uniform")
        meter = CpuMeter(postmaster(postgres.url_as(SUPERUSER)))
        cpu: dict[str, list[float]] = {server.name: [] for server in servers}
        throughput: dict[str, list[float]] = {server.name: [] for server in servers}
        for server in servers:
            server.look_up(workload, options.connections, options.seconds, REQUESTS // 2)  # warm-up
        for round_ in range(options.rounds):
            say(f"Round {round_ + 1} of {options.rounds}")
            for server in _in_turn(servers, round_):
                meter.start(server)
                outcome = server.look_up(workload, options.connections, options.seconds, round_ * _STRIDE)
                used, _ = meter.stop()
                if outcome.failed or not outcome.requests or used is None:
                    raise BenchmarkError(f"{server.name}: {outcome.failed} of {outcome.requests} requests failed")
                cpu[server.name].append(used / outcome.requests * 1e6)
                throughput[server.name].append(outcome.requests / outcome.seconds)
    yield "| | CPU µs a Lookup | times off (quartiles) | req/s, times off |"
    yield "| --- | --- | --- | --- |"
    for name, used_by_it in cpu.items():
        yield f"| {name} | {statistics.median(used_by_it):.1f} | {_times(cpu, name)} | {_times(throughput, name)} |"


def _environment(settings: Mapping[str, object]) -> Mapping[str, str]:
    return {f"{PREFIX}{name}": str(value) for name, value in settings.items()}


def _in_turn(servers: list[Server], round_: int) -> list[Server]:
    turn = round_ % len(servers)
    return servers[turn:] + servers[:turn]


def _times(figures: Mapping[str, list[float]], name: str) -> str:
    """Return how many times those of `off` the figures are: the median within rounds, with quartiles."""
    ratios = [mine / off for mine, off in zip(figures[name], figures[OFF], strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return f"{median:.3f} ({low:.2f}-{high:.2f})"
