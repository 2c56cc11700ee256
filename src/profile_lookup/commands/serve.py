"""`profile-lookup serve`; and `demo`, which makes the store that `serve --demo` makes."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from profile_lookup.accounts.credentials import Credentials, digest, is_sent_by_all_sdks
from profile_lookup.accounts.queries import ensure_account
from profile_lookup.audit.audit_log import verify_audit_file
from profile_lookup.commands.database import (
    configure,
    ephemeral_database,
    open_database,
    refuse_standbys_of_citus,
    running_database,
    verify_session_settings,
    warn_of_too_many_connections,
)
from profile_lookup.commands.demo import Demo, ensure_demo, revoke_known_secrets
from profile_lookup.commands.errors import CommandError
from profile_lookup.database.connections import REQUEST_LIMITS, STEP_LIMITS
from profile_lookup.database.pool import Database
from profile_lookup.files import write_private
from profile_lookup.garbage_collection import collector_paused
from profile_lookup.metrics.exported import listening_for_metrics
from profile_lookup.serving.address_file import address_recorded, recorded_address
from profile_lookup.serving.listener import address, listening
from profile_lookup.serving.supervised import end_with_input
from profile_lookup.settings import PREFIX, Settings
from profile_lookup.traces.provider import verify_opentelemetry

if TYPE_CHECKING:
    from profile_lookup.serving.processes import ForClient

LOOPBACK = "127.0.0.1"
_NO_PUBLIC_URL = (
    "other machines can reach this service, but %sPUBLIC_URL is not set: "
    "the addresses in answers begin with the host that each request names"
)

log = logging.getLogger(__name__)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default=LOOPBACK)] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.", show_default="8000")] = None,
    workers: Annotated[int | None, typer.Option(help="How many processes serve.", show_default="1")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Make a demo store, and print how to use it.")] = False,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Serve tests, with a database of its own that is gone at the end.")
    ] = False,
    seed: Annotated[Path | None, typer.Option(help="The stores and profiles that --ephemeral begins with.")] = None,
    store_id: Annotated[str | None, typer.Option(help="The ID of the store that --ephemeral begins with.")] = None,
    clock: Annotated[
        str | None, typer.Option(help="The time that --ephemeral begins at, such as 2026-01-15T10:15:30Z.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write what `demo --json` prints to this file once clients are accepted.")
    ] = None,
    end_with_stdin: Annotated[
        bool, typer.Option("--end-with-stdin", help="End also when standard input ends, because its writer is gone.")
    ] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM, with the embedded database or the one that the settings name."""
    if end_with_stdin:
        end_with_input()
    settings = configure(
        host=host, port=port, workers=workers,
        ephemeral=ephemeral or None, seed_file=seed, ephemeral_store_id=store_id, clock=clock,
    )  # fmt: skip
    if settings.ephemeral:
        if demo or workers not in (None, 1):
            raise CommandError("--ephemeral: expected neither --demo nor several --workers")
        # The environment may be that of a service, but anybody who reaches a server for tests may reset it.
        # No load balancer is in front of it, so it stops at once.
        settings = settings.model_copy(update={"host": host or LOOPBACK, "workers": 1, "stop_delay_seconds": 0})
    elif seed or store_id or clock:
        raise CommandError("--seed, --store-id and --clock: expected with --ephemeral")
    elif ready_file and not demo:
        raise CommandError("--ready-file: expected with --ephemeral or --demo, which have a store to name")
    _serve(settings, with_demo=demo, ready_file=ready_file)


def _serve(settings: Settings, *, with_demo: bool, ready_file: Path | None) -> None:
    verify_opentelemetry(settings)
    verify_audit_file(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(listening(settings.host, settings.port))
        base_url = settings.public_url or address(*listener.getsockname()[:2])
        if settings.public_url is None and not ip_address(listener.getsockname()[0]).is_loopback:
            log.warning(_NO_PUBLIC_URL, PREFIX)
        if ready_file is not None:
            stack.enter_context(_without(ready_file))
        metrics_url = stack.enter_context(listening_for_metrics(settings))
        running, demo = _start_database(settings, stack, with_demo=with_demo)

        def announce(double: "ForClient | None") -> None:
            stack.enter_context(address_recorded(running.data_dir, base_url))
            typer.echo(f"profile-lookup {version('profile-lookup')} serves on {base_url}")
            if metrics_url is not None:
                typer.echo(f"  Metrics:     {metrics_url}")
            typer.echo(f"  Docs page:   {demo.docs_page(base_url) if demo else f'{base_url}/docs'}")
            if running.console:
                typer.echo(f"  Console:     {demo.console(base_url) if demo else f'{base_url}/console'}")
            if demo is not None:
                _show(demo, base_url)
            if double is not None:
                _show_double(double(base_url), settings)
            for_client = double if demo is None else demo.for_client
            if ready_file is not None and for_client is not None:
                write_private(ready_file, json.dumps(for_client(base_url)))

        with collector_paused():
            from profile_lookup.serving import processes  # noqa: PLC0415 -- `demo`, in this module, needs no routes
        processes.serve(running, listener, announce)


def _start_database(settings: Settings, stack: ExitStack, *, with_demo: bool) -> tuple[Settings, Demo | None]:
    """Start the database until `stack` ends, and return the settings that name it, and the demo, if it is wanted."""
    if settings.ephemeral:
        return stack.enter_context(ephemeral_database(settings)), None
    running = stack.enter_context(running_database(settings))
    return running, asyncio.run(_ensure_start_data(running, with_demo=with_demo))


@contextmanager
def _without(path: Path) -> Iterator[None]:
    """Remove the file now, because a former run may have left it, and at the end. Raises `CommandError`."""
    if not path.parent.is_dir():
        raise CommandError(f"--ready-file: {path.parent} is no directory")
    path.unlink(missing_ok=True)
    yield
    path.unlink(missing_ok=True)


def make_demo(
    as_json: Annotated[bool, typer.Option("--json", help="Print what a client needs as one JSON object.")] = False,
) -> None:
    """Make a demo account, key and store with people, unless they are there already, and print how to use them."""
    settings = configure()
    base_url = _address_for_clients(settings)
    with running_database(settings) as running:
        demo = asyncio.run(_ensure_start_data(running, with_demo=True))
    assert demo is not None
    if as_json:
        typer.echo(json.dumps(demo.for_client(base_url)))
    else:
        if settings.console:
            typer.echo(f"  Console:     {demo.console(base_url)}")
        _show(demo, base_url)


def _address_for_clients(settings: Settings) -> str:
    """Return the address of the service that runs with this data directory, else the one that it would have.

    Raises `CommandError` if that is not known yet.
    """
    known = settings.public_url or recorded_address(settings.data_dir)
    if known is None and settings.port == 0:
        raise CommandError(f"{PREFIX}PORT: port 0 is chosen when the service starts: run `profile-lookup serve` first")
    return known or address(settings.host, settings.port)


async def _ensure_start_data(settings: Settings, *, with_demo: bool) -> Demo | None:
    await verify_session_settings(settings, REQUEST_LIMITS)
    if settings.run_operations:
        await verify_session_settings(settings, STEP_LIMITS)
    async with open_database(settings) as database:
        await refuse_standbys_of_citus(database, settings)
        await warn_of_too_many_connections(database, settings)
        await _ensure_bootstrap_account(database, settings)
        await revoke_known_secrets(database, settings)
        return await ensure_demo(database, settings) if with_demo else None


async def _ensure_bootstrap_account(database: Database, settings: Settings) -> None:
    if settings.bootstrap_account_sid is None or settings.bootstrap_auth_token is None:
        return
    secret = settings.bootstrap_auth_token.get_secret_value()
    if not is_sent_by_all_sdks(secret):
        log.warning("%sBOOTSTRAP_AUTH_TOKEN is not letters and digits only: the Go SDK cannot send it", PREFIX)
    token = Credentials(settings.bootstrap_account_sid, digest(secret))
    async with database.transaction() as connection:
        await ensure_account(connection, "bootstrap", token)


def _show(demo: Demo, base_url: str) -> None:
    # A container's log may keep what is printed, so it is no secret of an account that the operator has set.
    if demo.secrets is None:
        typer.echo(f"  Account SID: {demo.account_sid}   auth token: (the one that you set)")
    else:
        typer.echo(f"  Account SID: {demo.account_sid}   auth token: {demo.secrets.auth_token}")
        typer.echo(f"  API key:     {demo.secrets.api_key}   secret:     {demo.secrets.api_secret}")
    typer.echo(f"  Store:       {demo.store_id}")
    typer.echo(f"Who is calling? Paste this:\n{demo.curl(base_url)}")


def _show_double(client: Mapping[str, str], settings: Settings) -> None:
    token = client["authToken"] if settings.bootstrap_auth_token is None else "(the one that you set)"
    typer.echo(f"  Account SID: {client['accountSid']}   auth token: {token}")
    typer.echo(f"  API key:     {client['apiKey']}   secret:     {client['apiSecret']}")
    typer.echo(f"  Store:       {client['storeId']}")
    typer.echo("It serves tests: its data is gone when it ends.")
