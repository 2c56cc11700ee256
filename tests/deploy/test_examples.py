"""The other examples of how the service is deployed: systemd's unit, Docker's files and Kubernetes' manifests."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.conftest import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
READY = "/readyz"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_accepts_the_unit_and_finds_it_well_confined(tmp_path: Path) -> None:
    unit = tmp_path / "profile-lookup@8001.service"
    example = (ROOT / "deploy/systemd/profile-lookup@.service").read_text()
    unit.write_text(example.replace("/opt/profile-lookup/bin/profile-lookup", sys.executable))
    for check in (["verify", "--man=no"], ["security", "--offline=yes", "--threshold=20"]):
        checked = subprocess.run(["systemd-analyze", *check, unit], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_no_container_makes_a_demo_whose_secrets_would_be_in_its_log() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    commands = [service.get("command", []) for service in compose["services"].values()]
    assert ["serve"] in commands
    assert not any("--demo" in command for command in commands)
    assert 'CMD ["serve"]' in (ROOT / "Dockerfile").read_text()


def test_the_image_and_kubernetes_send_requests_only_to_a_process_that_is_ready() -> None:
    (check,) = re.findall(r"HEALTHCHECK .*\\\n(.*)", (ROOT / "Dockerfile").read_text())
    assert f"'GET', '{READY}'" in check
    container = _documents()["Deployment", "profile-lookup"]["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"]["httpGet"]["path"] == READY
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_each_stage_of_the_image_begins_with_one_base_which_a_digest_pins() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    pinned, *others = re.findall(r"^FROM (.+)$", dockerfile, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim@sha256:[0-9a-f]{64} AS pinned", pinned)
    assert re.search(r"^ARG BASE=pinned$", dockerfile, re.MULTILINE)
    assert others == ["${BASE} AS base", "base AS builder", "base"]


def test_the_image_has_no_embedded_postgresql_unless_it_is_asked_for() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^ARG EXTRAS=$", dockerfile, re.MULTILINE)
    assert "dist/*.whl)${EXTRAS}" in dockerfile


def test_the_manifests_have_the_same_image_and_disrupt_one_replica_at_a_time() -> None:
    documents = _documents()
    workloads = [each for (kind, _), each in documents.items() if kind in ("Deployment", "Job")]
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in workloads}
    assert len(workloads) == 3
    assert len(images) == 1
    budget = documents["PodDisruptionBudget", "profile-lookup"]["spec"]
    serving = documents["Deployment", "profile-lookup"]["spec"]
    assert budget["selector"] == serving["selector"]
    assert budget["maxUnavailable"] < serving["replicas"]


def test_no_variable_of_a_service_replaces_a_setting() -> None:
    workloads = [each for (kind, _), each in _documents().items() if kind in ("Deployment", "Job")]
    assert [each["spec"]["template"]["spec"]["enableServiceLinks"] for each in workloads] == [False] * 3


def _documents() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the documents of all manifests by kind and name."""
    read = [each for path in KUBERNETES.glob("*.yaml") for each in yaml.safe_load_all(path.read_text())]
    return {(each["kind"], each["metadata"]["name"]): each for each in read}
