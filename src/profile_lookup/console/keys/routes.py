"""`/console/keys`: the account's API keys."""

from typing import Annotated, Any

from fastapi import Depends, Path, Response
from sqlalchemy import Row

from profile_lookup.accounts import key_changes, keys
from profile_lookup.accounts.dependencies import addressed_key, locked_caller
from profile_lookup.accounts.grants import SCOPES
from profile_lookup.accounts.wire import KeyPatch, KeyRequest
from profile_lookup.clock import CLOCK
from profile_lookup.console.dependencies import SignedIn
from profile_lookup.console.keys.key_fields import ALL_STORES, KeyFields
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import Page, StoreName
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.console.wire import typed_as
from profile_lookup.web.dependencies import Snapshot, Transaction
from profile_lookup.web.pagination import ControlPlanePage, PageTokensOfApp, fetch_page

router = page_router()


async def _manager_page(page: SignedIn) -> Page:
    page.caller.need("manage")
    return page


ManagerPage = Annotated[Page, Depends(_manager_page)]
"""The page of a person who may manage the account."""


async def _key_in_path(page: ManagerPage, key_sid: Annotated[str, Path(alias="keySid")]) -> Row[Any]:
    return await addressed_key(page.services.database, page.caller, key_sid)


KeyInPath = Annotated[Row[Any], Depends(_key_in_path)]


@router.get("/keys")
async def list_keys(
    page: ManagerPage, listed: ControlPlanePage, tokens: PageTokensOfApp, snapshot: Snapshot
) -> Response:
    """The newest key comes first."""
    query = keys.keys_of(page.caller.account_id, page.caller.grant)
    found = await fetch_page(snapshot, query, keys.KEYS_KEY, listed, tokens, "keys", str(page.caller.account_id))
    return await page.render("keys/list.html", keys=found.rows, meta=found.meta, now=CLOCK.now())


@router.get("/keys/new")
async def new_key(page: ManagerPage) -> Response:
    stores = "" if page.stores or not page.caller.is_account_token else ALL_STORES
    only_store = [store.id for store in page.stores] if len(page.stores) == 1 else []
    return await _new_key_page(page, KeyFields(stores=stores, store_ids=only_store))


@router.post("/keys")
async def make_key(page: ManagerPage, transaction: Transaction) -> Response:
    """Make a key. The answer is the only one that shows its secret."""
    fields = KeyFields.of_form(page.form)
    try:
        request = typed_as(KeyRequest, fields.body)
        caller = await locked_caller(transaction, page.credentials)
        made = await key_changes.make_key(transaction, caller, request)
    except CORRECTABLE as error:
        return await _new_key_page(page, fields, Refusal.of("key", error))
    return await page.render("keys/made.html", 201, key=made)


@router.get("/keys/{keySid}")
async def key_page(page: ManagerPage, key: KeyInPath) -> Response:
    return await _key_page(page, key, KeyFields.of_key(key))


@router.post("/keys/{keySid}")
async def patch_key(page: ManagerPage, key: KeyInPath, transaction: Transaction) -> Response:
    """Change a key, unless somebody else has changed it since the form was shown."""
    fields = KeyFields.of_form(page.form)
    try:
        patch = typed_as(KeyPatch, fields.body)
        caller = await locked_caller(transaction, page.credentials)
        await key_changes.patch_key(transaction, caller, key.sid, patch, fields.if_match)
    except CORRECTABLE as error:
        return await _key_page(page, key, fields, Refusal.of("key", error))
    return await page.redirect(page.address(f"keys/{key.sid}"), "The key was changed, from its next request on.")


@router.post("/keys/{keySid}/revoke")
async def revoke_key(page: ManagerPage, key: KeyInPath, transaction: Transaction) -> Response:
    await keys.remove_key(transaction, key.sid)
    return await page.redirect(page.address("keys"), f"{key.sid} was revoked: it is refused from now on.")


async def _new_key_page(page: Page, fields: KeyFields, refusal: Refusal | None = None) -> Response:
    return await page.render("keys/new.html", refusal=refusal, **_choices(page, fields))


async def _key_page(page: Page, key: Row[Any], fields: KeyFields, refusal: Refusal | None = None) -> Response:
    return await page.render("keys/key.html", refusal=refusal, key=key, now=CLOCK.now(), **_choices(page, fields))


def _choices(page: Page, fields: KeyFields) -> dict[str, Any]:
    """Return the fields with what may be chosen. A key keeps stores that are deleted, so that it is for no others."""
    existing = {store.id for store in page.stores}
    deleted = [StoreName(each, "deleted store") for each in fields.store_ids if each not in existing]
    return {
        "fields": fields,
        "scopes": [scope for scope in SCOPES if page.may(scope)],
        "stores": [*page.stores, *deleted],
        "may_be_for_all": page.caller.is_account_token or fields.stores == ALL_STORES,
    }
