"""`/console/stores/{storeId}/rules/trait-groups`: the trait groups of a store.

The name of a group is a parameter and not a part of the path, because a group may be called `..`.
"""

from typing import Any

from fastapi import Response
from sqlalchemy import Row as RowOfTable

from profile_lookup.console.dependencies import ManagePage
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.console.rules.differences import Difference, differences
from profile_lookup.console.rules.form_fields import Row
from profile_lookup.console.rules.trait_group_form import (
    FIELDS,
    documents_of,
    field_of,
    is_protected,
    label_of,
    rows_in_force,
    typed_documents,
    typed_rows,
)
from profile_lookup.console.wire import typed_as
from profile_lookup.database.documents import trait_group_of
from profile_lookup.errors import Outdated
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.operations.dependencies import QuotasOfApp
from profile_lookup.stores.admission import rules_in_force
from profile_lookup.trait_groups import changes, queries
from profile_lookup.trait_groups.wire import TraitGroupPatch, TraitGroupRequest
from profile_lookup.web.etags import etag

router = page_router()

_LIST = "rules/trait-groups"
_GROUP = "rules/trait-group"
_FORM = "trait-group"
_NEW_ROWS = 3


@router.get("/stores/{storeId}/rules/trait-groups")
async def list_trait_groups(page: ManagePage) -> Response:
    return await _list(page)


@router.post("/stores/{storeId}/rules/trait-groups")
async def create_trait_group(page: ManagePage) -> Response:
    """Create a group without traits, which its own page then adds."""
    sent = {"displayName": page.form.text("displayName"), "description": page.form.text("description")}
    try:
        body = typed_as(TraitGroupRequest, sent)
        async with page.services.database.transaction() as connection:
            await changes.create(connection, page.rules, body.to_domain(), body.description, page.actor)
    except CORRECTABLE as error:
        return await _list(page, refusal=Refusal.of("create", error), sent=sent)
    address = f"{page.store_address(_GROUP)}?name={body.display_name}"
    return await page.redirect(address, "The trait group is created. Now add its traits.")


@router.get("/stores/{storeId}/rules/trait-group")
async def show_trait_group(page: ManagePage, name: str) -> Response:
    stored = await _fetch(page, name)
    rows = rows_in_force(trait_group_of(name, stored.traits))
    return await _shown(page, stored, rows, stored.description or "", _etag(stored))


@router.post("/stores/{storeId}/rules/trait-group")
async def amend_trait_group(page: ManagePage, name: str, quotas: QuotasOfApp) -> Response:
    """Change what was typed differently, unless others have changed the group since the page was opened."""
    rows, description = typed_rows(page.form), page.form.text("description")
    if_match = page.form.required("etag")
    stored = await _fetch(page, name)
    try:
        patch = typed_as(TraitGroupPatch, _patch(stored, rows, description))
        async with page.services.database.transaction() as connection:
            await changes.amend(
                connection, page.rules, name, patch.changes(), patch.description, if_match, page.actor, quotas
            )
    except Outdated as error:
        refusal = Refusal.of(_FORM, error)
        versions = _versions(stored, rows, description)
        rows += _missing_rows(stored, rows)
        return await _shown(page, stored, rows, description, _etag(stored), refusal=refusal, versions=versions)
    except CORRECTABLE as error:
        refusal = Refusal.of(_FORM, error)
        refusal = refusal._replace(field=field_of(refusal.field))
        return await _shown(page, stored, rows, description, if_match, refusal=refusal)
    return await page.redirect(f"{page.store_address(_GROUP)}?name={name}", "The trait group is changed.")


@router.post("/stores/{storeId}/rules/trait-group/delete")
async def delete_trait_group(page: ManagePage, name: str, quotas: QuotasOfApp) -> Response:
    async with page.services.database.transaction() as connection:
        await changes.remove(connection, page.rules, name, page.actor, quotas)
    return await page.redirect(page.store_address(_LIST), "The trait group is deleted. A worker erases its values.")


async def _fetch(page: StorePage, name: str) -> RowOfTable[Any]:
    """Return a group as it is stored now. Raises `TraitGroupNotFound`."""
    async with page.services.database.statements() as connection:
        page.rules = await rules_in_force(connection, page.rules.account_id, page.rules.id)
        return await queries.fetch(connection, page.rules, name)


def _etag(stored: RowOfTable[Any]) -> str:
    return etag(stored.version, stored.created_at)


def _patch(stored: RowOfTable[Any], rows: list[Row], description: str) -> dict[str, Any]:
    """Return the body of the API's request: what was typed differently. Raises `DefinitionRefused`."""
    known = documents_of(trait_group_of(stored.name, stored.traits).traits)
    traits = {name: each for name, each in typed_documents(rows).items() if each != known.get(name)}
    is_described = description != (stored.description or "")
    return {"traits": traits} | ({"description": description} if is_described else {})


def _versions(stored: RowOfTable[Any], rows: list[Row], description: str) -> list[Difference]:
    """Return what the typed group says differently about its description and the traits that it names."""
    typed = typed_documents(rows)
    in_force = documents_of(trait_group_of(stored.name, stored.traits).traits)
    return differences(
        {"description": stored.description or ""} | {name: each for name, each in in_force.items() if name in typed},
        {"description": description} | {name: each for name, each in typed.items() if each["dataType"]},
    )


def _missing_rows(stored: RowOfTable[Any], rows: list[Row]) -> list[Row]:
    """Return the rows of traits that the form did not have, because somebody added them later."""
    typed = typed_documents(rows)
    return [row for row in rows_in_force(trait_group_of(stored.name, stored.traits)) if row["trait"] not in typed]


async def _list(page: StorePage, **values: Any) -> Response:
    groups = sorted(page.rules.trait_groups.values(), key=lambda each: (each.name != CONTACT.name, each.name))
    return await page.render("rules/trait_groups.html", groups=groups, **{"sent": {}, **values})


async def _shown(
    page: StorePage,
    stored: RowOfTable[Any],
    rows: list[Row],
    description: str,
    if_match: str,
    refusal: Refusal | None = None,
    **values: Any,
) -> Response:
    """Return the form with these rows, and some empty ones for other traits."""
    address = f"{page.store_address(_GROUP)}?name={stored.name}"
    return await page.render(
        "rules/trait_group.html",
        group=stored.name,
        rows=[*rows, *[dict.fromkeys(FIELDS, "") | {"dataType": "STRING"}] * _NEW_ROWS],
        stored_names=frozenset(stored.traits),
        description=description,
        etag=if_match,
        form=_FORM,
        address=address,
        delete_address=f"{page.store_address(f'{_GROUP}/delete')}?name={stored.name}",
        id_types=page.rules.settings.id_types,
        is_protected=is_protected,
        refusal=refusal,
        refused_label="" if refusal is None else label_of(refusal.field),
        is_deletable=stored.name != CONTACT.name,
        **{"versions": None, **values},
    )
