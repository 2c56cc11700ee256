"""Operations on the wire."""

from typing import Literal

from pydantic import Field

from profile_lookup.web.wire import AnswerModel, WireTime

RETRY_AFTER = 1
"""Seconds until it is worth asking again."""


class OperationResult(AnswerModel):
    type: Literal["RESOURCE_ID"] = "RESOURCE_ID"
    id: str = Field(max_length=128)


class Operation(AnswerModel):
    operation_id: str = Field(max_length=512)
    status: Literal["PENDING", "RUNNING", "CANCELLED", "COMPLETED", "FAILED"]
    created_at: WireTime
    completed_at: WireTime | None = None
    status_url: str | None = Field(default=None, json_schema_extra={"format": "uri"})
    result: OperationResult | None = Field(default=None, description="Once it is COMPLETED.")


class OperationAccepted(AnswerModel):
    message: str = Field(max_length=512)
    status_url: str = Field(max_length=512, description="Where its progress is told.")
