"""Runs the processes that serve, and the worker beside them, until a signal ends them in order."""

import _thread
import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Literal

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from profile_lookup.app import app_from_environment, app_to_serve
from profile_lookup.bucket_tables import MEMORY_NAME, shared_memory
from profile_lookup.errors import OperatorError
from profile_lookup.serving.admission_turns import AdmissionTurns
from profile_lookup.serving.connection_limits import ConnectionLimits, open_file_limit
from profile_lookup.serving.http_protocol import ContractHttpProtocol, Strangers
from profile_lookup.serving.listener import BACKLOG
from profile_lookup.serving.lookup_protocol import LookupProtocol
from profile_lookup.serving.stopping import delay_stop, with_delayed_stop
from profile_lookup.serving.supervised import end_with_supervisor
from profile_lookup.serving.worker_supervisor import worker_process
from profile_lookup.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from profile_lookup.testing.double import Double

DRAIN_TIMEOUT = 20  # seconds that requests under way have to finish
MAX_ADMISSIONS = 64  # requests of strangers that are under way at the same time in one process


ForClient = Callable[[str], dict[str, str]]
"""Returns all that a client needs of a service with this base URL."""

Announce = Callable[[ForClient | None], None]
"""Announces that the service accepts clients. Only a server for tests has credentials and a store by itself."""


def serve(settings: Settings, listener: socket.socket, announce: Announce) -> None:
    """Serve until SIGINT or SIGTERM, and then finish the requests under way.

    `announce` is called once, when every process accepts clients.
    """
    assert settings.database_url is not None
    # The other processes read these from the environment, as this one did.
    os.environ[f"{PREFIX}DATABASE_URL"] = settings.database_url.get_secret_value()
    os.environ[f"{PREFIX}WORKERS"] = str(settings.workers)
    has_worker_process = settings.run_operations and not settings.ephemeral  # a server for tests works by itself
    with worker_process(os.environ) if has_worker_process else nullcontext():
        if settings.workers == 1:
            _serve_alone(settings, listener, announce)
        else:
            with shared_memory() as name:
                os.environ[MEMORY_NAME] = name
                _serve_by_several(settings, listener, announce)


def _serve_by_several(settings: Settings, listener: socket.socket, announce: Announce) -> None:
    config = uvicorn_config(f"{__name__}:app_of_process", settings)
    supervisor = _Supervisor(config, listener, announce)
    _handle_signals(supervisor.handle_exit)
    try:
        supervisor.run()
    finally:
        supervisor.terminate_all()
        supervisor.join_all()
    if supervisor.has_failed():
        raise CannotStart("A process that serves could not start; the log says why")


def _serve_alone(settings: Settings, listener: socket.socket, announce: Announce) -> None:
    app = app_to_serve(settings)
    config = uvicorn_config(app, settings, lifespan="off")
    double: Double | None = app.state.double

    def accept_clients() -> None:
        delay_stop(app, settings.stop_delay_seconds)
        announce(None if double is None else double.for_client)

    service = _Server(config, accept_clients)
    # uvicorn handles signals only once its loop runs, and one that comes earlier must not be lost.
    _handle_signals(service.handle_exit)

    async def run() -> None:
        # uvicorn would log why this fails, and not raise it.
        async with app.router.lifespan_context(app):
            await service.serve([listener])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())


def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def app_of_process() -> FastAPI:
    """Return the application for one of several processes, which ends if its supervisor is killed."""
    end_with_supervisor()
    return with_delayed_stop(app_from_environment(), load_settings().stop_delay_seconds)


class CannotStart(OperatorError):
    """A process that serves has ended before it accepted clients."""


class _Server(uvicorn.Server):
    """uvicorn's server, which calls `announce` as soon as it accepts clients."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._announce()


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, but it says when its workers accept clients, and closes the socket before they do.

    As long as any process has the socket open, the kernel accepts clients, whom nobody would answer any more.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, announce: Announce) -> None:
        super().__init__(config, [listener])
        self._announce: Announce | None = announce

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        if self.should_exit.is_set() or self._announce is None:
            return
        if all(process.is_ready() for process in self.processes):
            self._announce(None)
            self._announce = None

    def has_failed(self) -> bool:
        """Return whether it has ended because a process could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def handle_exit(self, _number: int, _frame: object) -> None:
        """Exit at once: uvicorn checks only twice a second, and Ctrl-C in a terminal has reached the workers."""
        # A thread does this: the main one may be interrupted while it holds the lock that `set` needs.
        _thread.start_new_thread(self.should_exit.set, ())

    def terminate_all(self) -> None:
        for listener in self.sockets:  # no worker is started from now on, and only that would need it
            listener.close()
        super().terminate_all()


def _strangers(settings: Settings) -> Strangers:
    """Return what one process does about strangers. Each process has a copy of its own."""
    return Strangers(
        ConnectionLimits(
            in_all=open_file_limit(settings.max_connections),
            strangers_per_address=settings.max_strangers_per_address,
        ),
        AdmissionTurns(MAX_ADMISSIONS),
    )


def _protocol(settings: Settings) -> type[ContractHttpProtocol]:
    """Return the protocol of connections. Some settings let the middleware see every request."""
    sees_all = settings.ephemeral or settings.log_requests or settings.traces
    is_direct = settings.direct_lookups and not sees_all
    return LookupProtocol if is_direct else ContractHttpProtocol


def uvicorn_config(app: FastAPI | str, settings: Settings, lifespan: Literal["auto", "off"] = "auto") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        timeout_keep_alive=settings.keep_alive_seconds,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application reads them where it needs them
        http=partial(_protocol(settings), _strangers(settings)),  # type: ignore[arg-type]  # it is only called
        ws="none",
        lifespan=lifespan,
        timeout_graceful_shutdown=DRAIN_TIMEOUT,
        backlog=BACKLOG,
    )
