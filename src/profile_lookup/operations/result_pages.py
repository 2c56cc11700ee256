"""The results of an operation, as its kind has them."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from profile_lookup.operations import items, previews, split_parts, undo_results
from profile_lookup.operations.kinds import OperationKind
from profile_lookup.operations.wire import (
    Counts,
    ItemResult,
    ItemResults,
    PreviewedResult,
    PreviewedResults,
    SplitProfileResult,
    SplitProfileResults,
    UndoneResult,
    UndoneResults,
    counts_of,
)
from profile_lookup.web.pagination import PageRequest, PageTokens, fetch_page

Results = ItemResults | PreviewedResults | SplitProfileResults | UndoneResults | Counts


async def results_of(
    connection: AsyncConnection, operation: Row[Any], page: PageRequest, tokens: PageTokens, error_pages: str
) -> Results:
    """Return a page of the results so far, or the counts so far if the operation counts. Raises `PageTokenRefused`."""
    if (counts := counts_of(operation)) is not None:
        return counts
    scope = ("results", str(operation.account_id), str(operation.id))
    if operation.kind == OperationKind.PREVIEW_SETTINGS:
        return await _previewed(connection, operation, page, tokens, *scope)
    if operation.kind == OperationKind.SPLIT_PROFILE:
        query = split_parts.results_of(operation.account_id, operation.id)
        found = await fetch_page(connection, query, split_parts.RESULTS_KEY, page, tokens, *scope)
        return SplitProfileResults(results=[SplitProfileResult.of_row(row) for row in found.rows], meta=found.meta)
    if operation.kind == OperationKind.UNDO_IMPORT:
        query = undo_results.results_of(operation.account_id, operation.id)
        found = await fetch_page(connection, query, undo_results.RESULTS_KEY, page, tokens, *scope)
        return UndoneResults(results=[UndoneResult.of_row(row) for row in found.rows], meta=found.meta)
    query = items.results_of(operation.account_id, operation.id)
    found = await fetch_page(connection, query, items.RESULTS_KEY, page, tokens, *scope)
    return ItemResults(results=[ItemResult.of_row(row, error_pages) for row in found.rows], meta=found.meta)


async def _previewed(
    connection: AsyncConnection, operation: Row[Any], page: PageRequest, tokens: PageTokens, *scope: str
) -> PreviewedResults:
    """Return a page of what a preview found. It is shorter than was asked for if its values take long to find."""
    query = previews.results_of(operation.account_id, operation.id)
    found = await fetch_page(connection, query, previews.RESULTS_KEY, page, tokens, *scope)
    while (fitting := await previews.count_fitting(connection, operation, found.rows)) < len(found.rows):
        found = await fetch_page(connection, query, previews.RESULTS_KEY, replace(page, size=fitting), tokens, *scope)
    values = await previews.values_of(connection, operation, found.rows)
    return PreviewedResults(
        results=[PreviewedResult.of_row(row, values.get(row.position)) for row in found.rows], meta=found.meta
    )
