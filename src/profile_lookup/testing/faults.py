"""The faults that tests have asked for: which requests fail or wait, how, and how many more of them."""

import re
from itertools import count

from profile_lookup.testing.wire import Fault, PendingFault

_PARAMETER = re.compile(r"\{[^/{}]*\}")


class Faults:
    def __init__(self) -> None:
        self._pending: dict[str, PendingFault] = {}
        self._numbers = count(1)

    @property
    def pending(self) -> list[PendingFault]:
        """The faults that affect further requests, in the order in which they were added."""
        return list(self._pending.values())

    def add(self, fault: Fault) -> PendingFault:
        pending = PendingFault(id=str(next(self._numbers)), fault=fault, remaining=fault.times)
        self._pending[pending.id] = pending
        return pending

    def remove(self, fault_id: str) -> bool:
        """Remove a fault, and return whether it was there."""
        return self._pending.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._pending.clear()

    def take(self, method: str, path: str, template: str | None) -> Fault | None:
        """Return the first fault for this request, which then affects one request less; None if there is none."""
        for pending in self._pending.values():
            if _is_for(pending.fault, method, path, template):
                self._count_down(pending)
                return pending.fault
        return None

    def _count_down(self, pending: PendingFault) -> None:
        if pending.remaining == 1:
            del self._pending[pending.id]
        else:
            self._pending[pending.id] = pending.model_copy(update={"remaining": pending.remaining - 1})


def _is_for(fault: Fault, method: str, path: str, template: str | None) -> bool:
    return fault.method in (None, method) and (
        fault.path in (None, path) or (template is not None and _nameless(fault.path) == _nameless(template))
    )


def _nameless(template: str | None) -> str:
    """Return the template without the names of its parameters, which do not matter."""
    return _PARAMETER.sub("{}", template or "")
