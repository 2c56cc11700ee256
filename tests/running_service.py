"""The service as `serve` runs it, in a thread of the tests or as an application."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext

import uvicorn
from fastapi import FastAPI

from profile_lookup.app import create_app
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.serving.processes import uvicorn_config
from profile_lookup.settings import Settings


@contextmanager
def serving(settings: Settings, app: FastAPI | None = None) -> Iterator[str]:
    """Serve over TCP in a thread while the block runs, and yield the URL."""
    with running_server(uvicorn_config(app or app_with_worker(settings), settings)) as (url, _):
        yield url


@contextmanager
def running_server(config: uvicorn.Config) -> Iterator[tuple[str, uvicorn.Server]]:
    """Run a server in a thread while the block runs, and yield its URL, too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
        finally:
            server.should_exit = True
            thread.join()


def app_with_worker(settings: Settings) -> FastAPI:
    """Return an application that does in one process what `serve` does: with the job worker, unless it is turned off."""
    created = create_app(settings)
    serve_requests = created.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = running_worker(settings) if settings.run_operations else nullcontext()
        async with serve_requests(app), worker:
            yield

    created.router.lifespan_context = lifespan
    return created
