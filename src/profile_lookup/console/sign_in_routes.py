"""`/console/sign-in` and `/console/sign-out`."""

import re

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from profile_lookup.accounts.credentials import Credentials, digest
from profile_lookup.accounts.dependencies import admitted_caller
from profile_lookup.accounts.ended_sessions import end_session
from profile_lookup.accounts.queries import accepted_credentials
from profile_lookup.accounts.sign_in_links import use_code
from profile_lookup.console import cookies
from profile_lookup.console.dependencies import SessionsOfApp, SignedIn
from profile_lookup.console.forms import TOKEN, Form, read_form
from profile_lookup.console.page_route import page_router
from profile_lookup.console.sessions import Sessions, new_id
from profile_lookup.console.templating import html_page, root_of
from profile_lookup.errors import Unauthenticated
from profile_lookup.web.dependencies import Transaction, services_of
from profile_lookup.web.failed_credentials import count_wrong_credentials

router = page_router()

_WRONG = "The SID and the secret do not belong together, or the key was revoked or has expired."
_USED = "The code is wrong, was used before, or has expired. A new start of `serve --demo` prints another one."
_FOREIGN = "This page was open for too long. Please try again."
_PATH = re.compile("[A-Za-z0-9_/-]{0,200}")
"""A path below `/console`: it names stores and profiles by their IDs, and no other site."""
_SID = re.compile("(?:SK|AC)[0-9a-f]{32}")
"""What is shown again of a refused form. A secret that was typed into the wrong field is not."""


@router.get("/sign-in")
async def sign_in_page(request: Request, sessions: SessionsOfApp, to: str = "") -> Response:
    """Show the form. `to` is the page that is shown after the sign-in."""
    return await _form_page(request, sessions, to)


@router.post("/sign-in")
async def sign_in(request: Request, sessions: SessionsOfApp) -> Response:
    """Sign in with the SID and the secret of a key, or of an account."""
    form = await read_form(request)
    if not _is_own(request, sessions, form):
        return await _form_page(request, sessions, form.text("to"), _FOREIGN, 403)
    credentials = Credentials(form.text("sid").strip().replace("\0", ""), digest(form.text("secret").strip()))
    try:
        return await _signed_in(request, sessions, form, credentials)
    except Unauthenticated:
        return await _refused(request, sessions, form, _WRONG)


@router.post("/sign-in/code")
async def sign_in_by_code(request: Request, sessions: SessionsOfApp) -> Response:
    """Sign in with a one-time code, which `serve --demo` prints as part of a link."""
    form = await read_form(request)
    if not _is_own(request, sessions, form):
        return await _form_page(request, sessions, "", _FOREIGN, 403)
    try:
        return await _signed_in(request, sessions, form, await _credentials_of(request, form.text("code").strip()))
    except Unauthenticated:
        return await _refused(request, sessions, form, _USED)


@router.post("/sign-out")
async def sign_out(page: SignedIn, transaction: Transaction) -> Response:
    """End the session in this browser, and for everybody who has a copy of its cookie."""
    await end_session(transaction, page.session.id, page.session.expires_at)
    response = RedirectResponse(page.address("sign-in"), 303)
    cookies.forget_session(response)
    return response


async def _credentials_of(request: Request, code: str) -> Credentials:
    """Return the credentials that a code is for. Raises `Unauthenticated` if it is not a code, or not any more."""
    database = services_of(request.scope).database
    async with database.transaction() as connection:
        sid = await use_code(connection, code)
    accepted = [] if sid is None else await accepted_credentials(database, sid)
    if not accepted:
        raise Unauthenticated
    return accepted[0]


async def _signed_in(request: Request, sessions: Sessions, form: Form, credentials: Credentials) -> Response:
    """Return a redirect that begins a session. Raises `Unauthenticated` or `TooManyRequests`."""
    await admitted_caller(request, credentials)
    to = form.text("to")
    path = f"console/{to}" if _PATH.fullmatch(to) else "console"
    response = RedirectResponse(f"{root_of(request.scope['path'])}{path.rstrip('/')}", 303)
    await cookies.set_session(request, response, sessions, sessions.begin(credentials))
    return response


async def _refused(request: Request, sessions: Sessions, form: Form, reason: str) -> Response:
    """Return the form with the reason. Raises `TooManyRequests` if too many failures came from this address."""
    too_many = count_wrong_credentials(request.scope)
    if too_many is not None:
        raise too_many
    sid = form.text("sid").strip()
    return await _form_page(request, sessions, form.text("to"), reason, 401, sid if _SID.fullmatch(sid) else "")


def _is_own(request: Request, sessions: Sessions, form: Form) -> bool:
    """Return whether the form was shown to this browser."""
    visit_id = request.cookies.get(cookies.VISIT, "")
    return bool(visit_id) and sessions.is_form_token(visit_id, form.text(TOKEN))


async def _form_page(
    request: Request, sessions: Sessions, to: str, refusal: str | None = None, status: int = 200, sid: str = ""
) -> Response:
    visit_id = request.cookies.get(cookies.VISIT) or new_id()
    values = {"page": None, "root": root_of(request.scope["path"]), "refusal": refusal, "to": to, "sid": sid}
    response = html_page("sign_in.html", status, values | {"token": sessions.form_token(visit_id)})
    await cookies.set_visit(request, response, visit_id)
    return response
