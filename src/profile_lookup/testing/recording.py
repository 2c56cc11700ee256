"""The last requests that a server for tests got."""

from collections import deque

from profile_lookup.testing.wire import RecordedRequest

MAX_REQUESTS = 1000
MAX_BODY = 64 << 10  # bytes of each body that are kept


class Recording:
    """A request that is being recorded. Its body and its status arrive while it is served."""

    def __init__(self, method: str, path: str, template: str | None, sid: str | None) -> None:
        self.method = method
        self.path = path
        self.template = template
        self.sid = sid
        self.status: int | None = None
        self._body = bytearray()

    def add(self, part: bytes) -> None:
        """Keep a part of the body, up to one byte more than is shown."""
        self._body += part[: MAX_BODY + 1 - len(self._body)]

    def to_wire(self) -> RecordedRequest:
        return RecordedRequest(
            method=self.method,
            path=self.path,
            path_template=self.template,
            sid=self.sid,
            status=self.status,
            body=self._body[:MAX_BODY].decode(errors="replace") if self._body else None,
            is_body_cut=len(self._body) > MAX_BODY,
        )


class Recordings:
    def __init__(self) -> None:
        self._last: deque[Recording] = deque(maxlen=MAX_REQUESTS)

    def start(self, method: str, path: str, template: str | None, sid: str | None) -> Recording:
        self._last.append(Recording(method, path, template, sid))
        return self._last[-1]

    def clear(self) -> None:
        self._last.clear()

    def to_wire(self) -> list[RecordedRequest]:
        return [recording.to_wire() for recording in self._last]
