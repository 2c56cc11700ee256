"""`/console/stores/{storeId}/imports/{importId}` before the import is started: what its columns hold."""

from typing import Any
from uuid import UUID

from fastapi import Response
from sqlalchemy import Row

from profile_lookup.console.dependencies import WritePage
from profile_lookup.console.imports.dependencies import ImportInPath, fetch_import, import_address
from profile_lookup.console.imports.first_rows import FirstRows, read_first_rows
from profile_lookup.console.imports.mapping_form import MappingForm, shown_columns, value_of
from profile_lookup.console.page_route import page_router
from profile_lookup.console.pages import StorePage
from profile_lookup.console.refusals import CORRECTABLE, Refusal
from profile_lookup.errors import AlreadyUploaded, RequestRefused, UploadRefused
from profile_lookup.identity.profile import TraitName
from profile_lookup.identity.trait_definitions import CONTACT
from profile_lookup.imports.columns.column_mapping import refuse_mapping
from profile_lookup.imports.columns.wire import MAX_NAME
from profile_lookup.imports.staged_imports import start

router = page_router()

MAX_MAPPED = 100
"""The most columns that an import reads, as in the API."""

_FORM = "mapping"
_STARTED_BEFORE = "This import was started before, or has ended."
_ENCODINGS = (
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("cp1252", "Windows-1252, western languages"),
    ("cp1250", "Windows-1250, central Europe"),
    ("cp1251", "Windows-1251, Cyrillic"),
    ("cp1253", "Windows-1253, Greek"),
    ("cp1254", "Windows-1254, Turkish"),
    ("mac-roman", "Mac Roman"),
    ("shift_jis", "Shift JIS, Japanese"),
    ("gb18030", "GB 18030, Chinese"),
    ("big5", "Big5, Chinese"),
    ("euc_kr", "EUC-KR, Korean"),
)


@router.post("/stores/{storeId}/imports/{importId}")
async def check_import(page: WritePage, import_id: ImportInPath) -> Response:
    """Show the first rows as they would be read by the typed choices."""
    row = await fetch_import(page, import_id)
    return await show_mapping(page, row, MappingForm.typed(page.form))


@router.post("/stores/{storeId}/imports/{importId}/first-rows")
async def show_first_rows(page: WritePage, import_id: ImportInPath) -> Response:
    """Return only the part of the page that shows the first rows, for the script that replaces it."""
    row = await fetch_import(page, import_id)
    found, refusal = await _read(page, row, MappingForm.typed(page.form))
    return await page.render("imports/first_rows.html", first_rows=found, reason=refusal and refusal.reason)


@router.post("/stores/{storeId}/imports/{importId}/start")
async def start_import(page: WritePage, import_id: ImportInPath) -> Response:
    """Let a worker import the file by the typed choices."""
    row, typed = await fetch_import(page, import_id), MappingForm.typed(page.form)
    try:
        await _start(page, import_id, await read_first_rows(page, row, typed), typed)
    except (AlreadyUploaded, UploadRefused):
        return await page.redirect(import_address(page, import_id), _STARTED_BEFORE)
    except CORRECTABLE as error:
        return await show_mapping(page, row, typed, Refusal.of(_FORM, error))
    return await page.redirect(import_address(page, import_id))


async def show_mapping(page: StorePage, row: Row[Any], typed: MappingForm, refusal: Refusal | None = None) -> Response:
    """Return the page with the columns and the first rows. If the file cannot be read, the refusal says why."""
    found, unreadable = await _read(page, row, typed)
    columns = shown_columns(found.beginning) if found else []
    return await page.render(
        "imports/mapping.html",
        refusal=refusal or unreadable,
        import_row=row,
        form=_FORM,
        address=import_address(page, row.id),
        typed=typed,
        columns=columns,
        hidden=len(found.beginning.columns) - len(columns) if found else 0,
        first_rows=found,
        choices=_choices(page),
        encodings=_ENCODINGS,
        minutes=page.services.settings.upload_seconds // 60,
    )


async def _read(page: StorePage, row: Row[Any], typed: MappingForm) -> tuple[FirstRows | None, Refusal | None]:
    try:
        return await read_first_rows(page, row, typed), None
    except CORRECTABLE as error:
        return None, Refusal.of(_FORM, error)


async def _start(page: StorePage, import_id: UUID, found: FirstRows, typed: MappingForm) -> None:
    rules = found.beginning.row_rules
    refuse_mapping(page.rules.trait_groups, page.rules.settings, rules.mapping)
    if len(rules.mapping) > MAX_MAPPED:
        raise RequestRefused(f"trait: expected at most {MAX_MAPPED} columns that are not left out")
    if any(len(each.column) > MAX_NAME for each in rules.mapping):
        raise RequestRefused(f"trait: expected no trait for columns whose names have more than {MAX_NAME} characters")
    async with page.services.database.transaction() as connection:
        await start(connection, page.rules, import_id, rules.mapping, typed.options(), rules.layout.delimiter)


def _choices(page: StorePage) -> list[tuple[str, list[tuple[str, str, str | None]]]]:
    """Return each trait group with its traits: the value of each, its name, and the identifier that it becomes."""
    groups = sorted(page.rules.trait_groups.values(), key=lambda each: (each.name != CONTACT.name, each.name))
    return [
        (
            group.name,
            [
                (value_of(TraitName(group.name, name)), name, definition.id_type_promotion)
                for name, definition in sorted(group.traits.items())
            ],
        )
        for group in groups
    ]
