"""uvicorn's HTTP, but what it refuses by itself gets the contract's error body as well.

A request that cannot even be parsed never becomes one: no application sees it, and no middleware. So its answer is
written right onto the connection, which then ends.
"""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from profile_lookup.errors import RequestRefused
from profile_lookup.web.errors import answer_to
from profile_lookup.web.request_id import HEADER, new_request_id


class ContractHttpProtocol(HttpToolsProtocol):
    def send_400_response(self, _remark: str) -> None:
        """The remark is in the log already. Neither it nor the answer has anything of what the client sent."""
        answer = answer_to(RequestRefused("The request is not well-formed HTTP"))
        headers = [
            *self.server_state.default_headers,
            *answer.raw_headers,
            (HEADER.lower().encode(), new_request_id().encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[400] + head + b"\r\n" + bytes(answer.body))
        self.transport.close()
