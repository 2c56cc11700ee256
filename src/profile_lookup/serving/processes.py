"""Runs the processes that serve, and the worker beside them, until a signal ends them in order."""

import _thread
import os
import signal
import socket
from collections.abc import Callable
from contextlib import nullcontext

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from profile_lookup.app import app_to_serve
from profile_lookup.serving.http_protocol import ContractHttpProtocol
from profile_lookup.serving.listener import BACKLOG
from profile_lookup.serving.worker_supervisor import worker_process
from profile_lookup.settings import PREFIX, Settings

DRAIN_TIMEOUT = 20  # seconds that requests under way have to finish


def serve(settings: Settings, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, and then finish the requests under way.

    `announce` is called when both signals are handled.
    """
    assert settings.database_url is not None
    # The other processes read these from the environment, as this one did.
    os.environ[f"{PREFIX}DATABASE_URL"] = settings.database_url.get_secret_value()
    os.environ[f"{PREFIX}WORKERS"] = str(settings.workers)
    worker = worker_process(os.environ) if settings.run_operations else nullcontext()
    if settings.workers == 1:
        service = uvicorn.Server(uvicorn_config(app_to_serve(settings), settings))
        # uvicorn handles signals only once its loop runs, and one that comes earlier must not be lost.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, service.handle_exit)
        announce()
        with worker:
            service.run([listener])
    else:
        config = uvicorn_config("profile_lookup.app:app_from_environment", settings)
        supervisor = _Supervisor(config, [listener])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, supervisor.handle_exit)
        announce()
        with worker:
            supervisor.run()


class _Supervisor(Multiprocess):
    """uvicorn's supervisor, but it closes the socket before its workers do.

    As long as any process has the socket open, the kernel accepts clients, whom nobody would answer any more.
    """

    def handle_exit(self, _number: int, _frame: object) -> None:
        """Exit at once: uvicorn checks only twice a second, and Ctrl-C in a terminal has reached the workers."""
        # A thread does this: the main one may be interrupted while it holds the lock that `set` needs.
        _thread.start_new_thread(self.should_exit.set, ())

    def terminate_all(self) -> None:
        for listener in self.sockets:  # no worker is started from now on, and only that would need it
            listener.close()
        super().terminate_all()


def uvicorn_config(app: FastAPI | str, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        timeout_keep_alive=settings.keep_alive_seconds,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application reads them where it needs them
        http=ContractHttpProtocol,
        ws="none",
        timeout_graceful_shutdown=DRAIN_TIMEOUT,
        backlog=BACKLOG,
    )
