"""The check that the API tests apply to every answer finds answers that do not conform."""

import json
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError

from tests.contract.conforming import check

PATH = "/v1/ControlPlane/Operations/mem_operation_00000000000000000000000000"
HEADERS = {
    "X-Request-Id": f"RQ{0:032x}",
    "Twilio-Request-Id": f"RQ{0:032x}",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
    "Operation-Id": "mem_operation_00000000000000000000000000",
}
BODY = {"operationId": HEADERS["Operation-Id"], "status": "RUNNING", "createdAt": "2026-01-15T10:15:30Z"}
ERROR = {"code": 520052, "message": "Not Found", "more_info": "here", "status": 404}
ABSENT: dict[str, Any] = {"path": "/nothing", "status": 404, "body": ERROR}


def _check(body: object = BODY, status: int = 200, path: str = PATH, **headers: str | None) -> None:
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    present = {name: value for name, value in sent.items() if value is not None}
    check("GET", path, status, httpx.Headers(present), json.dumps(body).encode())


def test_a_conforming_answer_is_accepted() -> None:
    _check()
    _check(Retry_After="1")
    _check(ERROR, 404, Operation_Id=None)
    _check(**ABSENT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 202},
        {"status": 404},
        {"status": 404, "body": ERROR | {"code": 20404}, "Operation_Id": None},
        {"body": BODY | {"more": 1}},
        {"body": BODY | {"createdAt": "2026-01-15T10:15:30.5Z"}},
        {"body": BODY | {"statusUrl": "/v1/ControlPlane/Operations"}},
        {"Operation_Id": None},
        {"Retry_After": "soon"},
        {"ETag": '"1"'},
        {"X_Request_Id": "RQ1"},
        {"X_Request_Id": "RQ1", "Twilio_Request_Id": "RQ1"},
        {"Twilio_Request_Id": f"RQ{1:032x}"},
        {"Content_Type": "text/plain"},
        {"X_Content_Type_Options": None},
        {"Cache_Control": "max-age=60"},
        ABSENT | {"body": {"detail": "Not Found"}},
        ABSENT | {"Content_Type": "text/plain"},
    ],
)
def test_a_deviating_answer_is_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, ValidationError)):
        _check(**wrong)
