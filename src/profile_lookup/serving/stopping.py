"""Stops a process in order at SIGTERM: first `/readyz` answers 503, and when load balancers have noticed, it stops.

Meanwhile it serves as before, but its answers say `Connection: close`. At the end it accepts who has connected already.
See docs/decisions/0033-strangers-cost-nothing.md.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType, MethodType

import uvicorn
from fastapi import FastAPI

from profile_lookup.serving.draining import accept_waiting_and_close
from profile_lookup.web.dependencies import services_of


def delay_stop(app: FastAPI, delay: float) -> None:
    """Delay the present effect of SIGTERM by so many seconds, in which `/readyz` answers 503.

    Call it once uvicorn handles signals. SIGTERM may come several times, from a supervisor and from an orchestrator
    that sends it to all processes; only the first one counts.
    """
    end = signal.getsignal(signal.SIGTERM)
    assert isinstance(end, MethodType)
    server = end.__self__
    assert isinstance(server, uvicorn.Server)
    loop = asyncio.get_running_loop()
    stopping = services_of({"app": app}).stopping
    tasks: list[asyncio.Task[None]] = []  # the loop alone would not keep it

    async def stop(number: int, frame: FrameType | None) -> None:
        await asyncio.sleep(delay)
        await accept_waiting_and_close(server.servers)
        end(number, frame)

    def begin(number: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(stop(number, frame))))

    signal.signal(signal.SIGTERM, begin)


def with_delayed_stop(app: FastAPI, delay: float) -> FastAPI:
    """Return the application, which calls `delay_stop` when it starts."""
    start = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with start(app):
            delay_stop(app, delay)
            yield

    app.router.lifespan_context = lifespan
    return app
