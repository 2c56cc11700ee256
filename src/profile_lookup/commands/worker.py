"""`profile-lookup worker`: the process that works on operations."""

import asyncio
import signal
from typing import Annotated

import typer
import uvloop

from profile_lookup.commands.database import configured, connected, database_running
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.serving.worker_supervisor import end_with_parent
from profile_lookup.settings import Settings


def worker(
    beside: Annotated[bool, typer.Option("--beside", hidden=True, help="End with the process that serves.")] = False,
) -> None:
    """Work on operations that take long, until Ctrl-C or SIGTERM; `serve` starts one, unless it is told not to."""
    if beside:
        end_with_parent()
    with database_running(configured()) as settings:
        uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    """Until SIGINT or SIGTERM; then give back what is under way, for whoever works next."""
    has_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, has_to_end.set)
    async with connected(settings):
        pass  # its schema is this version's
    collect_seldom()
    async with running_worker(settings):
        typer.echo("profile-lookup works on operations")
        await has_to_end.wait()
