"""The examples in `deploy/`, run by the real nginx and Caddy with real services behind them."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.conftest import PATIENCE
from tests.databases import TEMPLATE, database_copy
from tests.program.conftest import ACCOUNT, TOKEN, base_url_in, serving

ROOT = Path(__file__).parents[2]


class Proxy(NamedTuple):
    """A proxy that runs: its URL, and the directory with its configuration, its certificate and its logs."""

    url: str
    directory: Path

    def client(self) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=self.directory / "fullchain.pem")
        return httpx.Client(base_url=self.url, auth=(ACCOUNT, TOKEN), verify=trusted, timeout=PATIENCE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def nginx(directory: Path, upstreams: Sequence[str]) -> Iterator[Proxy]:
    """Run nginx with `deploy/nginx/profile-lookup.conf`, whose name, paths and addresses are changed."""
    port = free_port()
    example = _changed(
        (ROOT / "deploy/nginx/profile-lookup.conf").read_text(), upstreams,
        {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "/etc/ssl/profile-lookup": str(directory),
            "/var/log/nginx": str(directory),
        },
    )  # fmt: skip
    (directory / "example.conf").write_text(example)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {directory / kind};" for kind in kinds)
    (directory / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {directory}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places} include {directory}/example.conf; }}\n"
    )
    command = ["nginx", "-e", "stderr", "-p", str(directory), "-c", str(directory / "nginx.conf")]
    with _running(command, directory, port) as proxy:
        yield proxy


@contextmanager
def caddy(directory: Path, upstreams: Sequence[str]) -> Iterator[Proxy]:
    """Run Caddy with `deploy/caddy/Caddyfile`, whose name, certificate and addresses are changed."""
    port = free_port()
    example = _changed(
        (ROOT / "deploy/caddy/Caddyfile").read_text(), upstreams,
        {
            "id.example.com {": f"https://127.0.0.1:{port} {{\n\ttls {directory}/fullchain.pem {directory}/key.pem",
            "auto_https disable_redirects": "auto_https off\n\tadmin off",
        },
    )  # fmt: skip
    (directory / "Caddyfile").write_text(example)
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]
    with _running(command, directory, port) as proxy:
        yield proxy


PROXIES = {"nginx": nginx, "caddy": caddy}
needs_proxy = [
    pytest.param(run, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"there is no {name}"), id=name)
    for name, run in PROXIES.items()
]


def _changed(example: str, upstreams: Sequence[str], changes: dict[str, str]) -> str:
    addresses = dict(zip(("127.0.0.1:8001", "127.0.0.1:8002"), upstreams, strict=True))
    for old, new in (addresses | changes).items():
        assert old in example
        example = example.replace(old, new)
    return example


@contextmanager
def _running(command: list[str], directory: Path, port: int) -> Iterator[Proxy]:
    _make_certificate(directory)
    variables = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "PATH": "/usr/sbin:/usr/bin:/bin"}
    with (directory / "proxy.log").open("w") as log, subprocess.Popen(command, env=variables, stderr=log) as process:
        try:
            _wait_for_port(port, process)
            yield Proxy(f"https://127.0.0.1:{port}", directory)
        finally:
            process.terminate()


def _make_certificate(directory: Path) -> None:
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", directory / "key.pem", "-out", directory / "fullchain.pem", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True, capture_output=True,
    )  # fmt: skip


def _wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("the proxy did not start")


@pytest.fixture(scope="module", params=needs_proxy)
def proxy(request: pytest.FixtureRequest, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx or Caddy, with one service at the first of its addresses, and nothing at the second."""
    with contextmanager(database_copy)(server_url, TEMPLATE) as url, ExitStack() as stack:
        account = {"BOOTSTRAP_ACCOUNT_SID": ACCOUNT, "BOOTSTRAP_AUTH_TOKEN": TOKEN}
        _, printed = stack.enter_context(serving(DATABASE_URL=url, DATA_DIR=tmp_path_factory.mktemp("data"), **account))
        service = base_url_in(printed).removeprefix("http://")
        directory = tmp_path_factory.mktemp("proxy")
        yield stack.enter_context(request.param(directory, [service, f"127.0.0.1:{free_port()}"]))
