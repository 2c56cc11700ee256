"""How a process stops at SIGTERM: first `/readyz` says so, and only when load balancers have noticed it stops.

Meanwhile it serves as before, except that answers say `Connection: close`. See docs/decisions/0033.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

from fastapi import FastAPI

from profile_lookup.web.dependencies import services_of


def take_from_load_balancers(app: FastAPI, delay: float) -> None:
    """Delay what SIGTERM does now by so many seconds, in which `/readyz` answers 503. Other signals do what they did.

    It is called when uvicorn handles signals. SIGTERM may come several times: from a supervisor and from an
    orchestrator that sends it to all processes.
    """
    if not delay:
        return
    end = signal.getsignal(signal.SIGTERM)
    assert callable(end)
    loop = asyncio.get_running_loop()
    stopping = services_of({"app": app}).stopping

    def begin(number: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            loop.call_soon_threadsafe(loop.call_later, delay, end, number, frame)

    signal.signal(signal.SIGTERM, begin)


def stopping_in_order(app: FastAPI, delay: float) -> FastAPI:
    """Return the application, which calls `take_from_load_balancers` when it starts."""
    start = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with start(app):
            take_from_load_balancers(app, delay)
            yield

    app.router.lifespan_context = lifespan
    return app
