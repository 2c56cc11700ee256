"""`profile-lookup worker`: a process that works on operations and answers no requests."""

import asyncio
import signal
from typing import Annotated

import typer
import uvloop

from profile_lookup.commands.database import configure, open_database, running_database, verify_session_settings
from profile_lookup.database.connections import STEP_LIMITS
from profile_lookup.garbage_collection import collect_seldom
from profile_lookup.jobs.job_handlers import running_worker
from profile_lookup.serving.supervised import end_with_service
from profile_lookup.settings import Settings


def worker(
    beside: Annotated[
        bool, typer.Option("--beside", hidden=True, help="End when the process that started it ends.")
    ] = False,
) -> None:
    """Work on operations, until Ctrl-C or SIGTERM; `serve` starts such a process, unless a setting says not to."""
    if beside:
        end_with_service()
    with running_database(configure()) as settings:
        uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM; then release the operations under way, so that another worker can go on."""
    has_to_end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, has_to_end.set)
    await verify_session_settings(settings, STEP_LIMITS)
    async with open_database(settings):
        pass  # now we know that its schema is this version's
    collect_seldom()
    async with running_worker(settings):
        typer.echo("profile-lookup works on operations")
        await has_to_end.wait()
