"""Traces continue the caller's trace, name operations and statements, and hold no value."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import decompress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from profile_lookup.settings import Settings
from profile_lookup.traces.spans import statement_name
from tests.running_service import serving
from tests.serving.lookups import make_lookup_store

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector(ThreadingHTTPServer):
    """Receives what OpenTelemetry sends."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.requests: list[ExportTraceServiceRequest] = []

    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = decompress(body)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def test_a_request_is_a_child_of_the_callers_span_and_its_statements_are_named(
    settings: Settings, synchronous_account: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        with serving(settings.model_copy(update={"traces": True})) as url:
            store = make_lookup_store(url, synchronous_account)
            traced = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            path = f"{url}/v1/Stores/{store.id}/Profiles"
            with httpx.Client(auth=synchronous_account, headers=traced) as client:
                assert client.get(path).status_code == 200
                body = {"idType": "phone", "value": "+13175556789"}
                assert client.post(f"{path}/Lookup", json=body).status_code == 200
    spans = [span for span in collector.spans() if span.trace_id.hex() == TRACE]
    by_name = {span.name: span for span in spans}
    for operation in ("ListProfiles", "CreateProfilesLookup"):
        assert by_name[operation].parent_span_id.hex() == PARENT
    children = {span.name for span in spans if span.parent_span_id == by_name["ListProfiles"].span_id}
    assert "select profile" in children
    assert "select identifier" in by_name
    assert "3175556789" not in str(collector.requests)
    assert store.id not in str(collector.requests)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("select 1", "select"),
        ("-- select from other\nSELECT id FROM profile WHERE x = $1", "select profile"),
        ("insert into event (id) values ($1)", "insert event"),
        ("select 'from ann@example.com'", "select"),
    ],
)
def test_the_name_of_a_statement_holds_no_value(sql: str, name: str) -> None:
    assert statement_name(sql) == name
