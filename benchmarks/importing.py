"""Imports a file over HTTP, as a client of the product does."""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from benchmarks.contenders import Server, authorization
from benchmarks.csv_files import COLUMNS
from benchmarks.errors import BenchmarkError

_POLL_INTERVAL = 0.1  # seconds
_PATIENCE = 3600.0  # seconds that an import may take


@dataclass(frozen=True, slots=True)
class Imported:
    """`seconds`: the time with the upload; `applying`: the time from the end of the upload."""

    import_id: str
    answer: Mapping[str, Any]
    seconds: float
    applying: float


def import_file(server: Server, file: Path) -> Imported:
    """Import a file and wait until the end. Raises `BenchmarkError` if the import fails."""
    created = begin(server, file)
    uploading_at = time.monotonic()
    upload(server, created["url"], file)
    uploaded_at = time.monotonic()
    answer = ended(server, created["importId"])
    now = time.monotonic()
    return Imported(created["importId"], answer, now - uploading_at, now - uploaded_at)


def begin(server: Server, file: Path) -> dict[str, Any]:
    columns = [{"columnName": name, "traitGroup": "Contact", "traitName": trait} for name, trait in COLUMNS.items()]
    body = {"filename": file.name, "fileSize": file.stat().st_size, "columnMappings": columns}
    answer: dict[str, Any] = json.loads(_call(server, "POST", _path(server), json.dumps(body).encode()))
    return answer


def upload(server: Server, url: str, file: Path) -> None:
    with file.open("rb") as content:
        _call(server, "PUT", urlsplit(url).path, content, {"Content-Length": str(file.stat().st_size)})


def fetch(server: Server, import_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_call(server, "GET", f"{_path(server)}/{import_id}"))
    return answer


def ended(server: Server, import_id: str) -> dict[str, Any]:
    """Wait until the import has ended, and return it. Raises `BenchmarkError` if it fails."""
    deadline = time.monotonic() + _PATIENCE
    while (answer := fetch(server, import_id))["status"] in ("PENDING", "PROCESSING"):
        if time.monotonic() > deadline:
            raise BenchmarkError("the import took too long")
        time.sleep(_POLL_INTERVAL)
    if answer["status"] != "COMPLETED":
        raise BenchmarkError(f"the import is {answer['status']}: {answer.get('error')}")
    return answer


def refused_rows(server: Server, import_id: str) -> str:
    return _call(server, "GET", f"{_path(server)}/{import_id}/RefusedRows").decode()


def _path(server: Server) -> str:
    return f"{server.dataset.store_path}/Profiles/Imports"


def _call(
    server: Server, method: str, path: str, body: bytes | BinaryIO | None = None, more: Mapping[str, str] | None = None
) -> bytes:
    headers = {"Authorization": authorization(), "Content-Type": "application/json", **(more or {})}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise BenchmarkError(f"{method} {path} was answered {answer.status}: {content[:500]!r}")
    return content
