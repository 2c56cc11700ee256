"""The statements of the program, and whether each names the store of every distributed table that it touches.

On Citus, a statement runs on one node only if it compares the store of each distributed table with a value that is
known before it runs: a parameter, or a column that is compared with one (docs/scaling.md).
"""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pglast import ast as sql
from pglast import parse_plpgsql, parse_sql
from pglast.stream import RawStream
from pglast.visitors import Visitor
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.base import PGDialect

import profile_lookup
from profile_lookup.database.citus.placement import DISTRIBUTED
from profile_lookup.database.citus.statements import routable

SOURCES = Path(profile_lookup.__file__).parent
SQL_FILES = tuple((SOURCES / "database").glob("*.sql"))
DIALECT = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
VERBS = ("select ", "select\n", "with ", "with\n", "insert ", "update ", "delete ")


def statements() -> dict[str, str]:
    """Return the SQL of all statements that modules of the program have as constants, by where they are."""
    found = {}
    for module in pkgutil.walk_packages(profile_lookup.__path__, "profile_lookup."):
        if module.name.split(".")[1] in {"__main__", "pytest_plugin"}:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            text = str(value.compile(dialect=DIALECT)) if isinstance(value, TextClause) else value
            if isinstance(text, str) and text.lstrip().startswith(VERBS):
                found[f"{module.name}.{name}"] = text
    return {where: text for where, text in found.items() if _is_whole(text)}


def texts_within_functions() -> list[str]:
    """Return where functions of the program make statements of texts, which `statements` does not find."""
    return [
        f"{path.relative_to(SOURCES)}:{call.lineno}"
        for path in SOURCES.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "text"
        if not _is_setting(call)
    ]


def builders_without_store() -> list[str]:
    """Return the functions that build statements of distributed tables and nowhere name the store of such a table."""
    found = []
    for path in SOURCES.rglob("*.py"):
        if "tables" in path.parts:
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                columns = set(_columns_in(function))
                tables = {table for table, _ in columns} & set(DISTRIBUTED)
                missing = [table for table in tables if (table, "store_id") not in columns]
                found += [f"{path.relative_to(SOURCES)}:{function.name}: {table}" for table in missing]
    return found


def modules_with_functions() -> set[str]:
    """Return the modules that make statements by `in_store` or `run_in_store`."""
    return {
        ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        for path in SOURCES.rglob("*.py")
        if "import in_store" in (source := path.read_text()) or "import run_in_store" in source
    }


def _columns_in(function: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the table and the name of each column such as `profile.c.id`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "c":
            yield ast.unparse(node.value.value), node.attr


def function_names() -> set[str]:
    """Return the names of the functions of our SQL files that are called by statements, and not by triggers."""
    created: Iterator[Any] = (each.stmt for path in SQL_FILES for each in parse_sql(path.read_text()))
    return {
        each.funcname[-1].sval
        for each in created
        if _is(each, sql.CreateFunctionStmt) and each.returnType.names[-1].sval != "trigger"
    }


def statements_of_functions() -> dict[str, str]:
    """Return the statements in the bodies of SQL functions, by their file and number."""
    found = {}
    for path in SQL_FILES:
        parsed = [
            each
            for statement in parse_sql(path.read_text())
            if isinstance(statement.stmt, sql.CreateFunctionStmt)
            for each in parse_plpgsql(RawStream()(statement))
        ]
        for number, query in enumerate(_queries_in(parsed)):
            text = query if query.lstrip().lower().startswith(VERBS) else f"select {query.partition(':=')[2] or query}"
            found[f"{path.name}: {number}"] = text
    return found


def _queries_in(parsed: Any) -> Iterator[str]:
    if isinstance(parsed, dict):
        if isinstance(parsed.get("query"), str):
            yield parsed["query"]
        for each in parsed.values():
            yield from _queries_in(each)
    elif isinstance(parsed, list):
        for each in parsed:
            yield from _queries_in(each)


def unnamed(text: str) -> list[str]:
    """Return the distributed tables in this statement whose store it does not name."""
    finder = _Finder()
    for statement in parse_sql(routable(text)):
        finder(statement)
    return finder.unnamed


def _is_whole(text: str) -> bool:
    """Return whether PostgreSQL parses this; some constants are parts of statements."""
    try:
        parse_sql(routable(text))
    except Exception:  # noqa: BLE001 -- whatever it says, it is no statement
        return False
    return True


def _is_setting(call: ast.Call) -> bool:
    shown = ast.unparse(call)
    return any(each in shown for each in ("set local", "analyze", "text('select')"))


class _Finder(Visitor):
    """Visits each query of a statement, and compares its tables with its conditions."""

    def __init__(self) -> None:
        self.unnamed: list[str] = []

    def visit_SelectStmt(self, _ancestors: object, node: Any) -> None:  # noqa: N802 -- pglast's
        self._check(node.fromClause or (), node.whereClause)

    def visit_UpdateStmt(self, _ancestors: object, node: Any) -> None:  # noqa: N802
        self._check((node.relation, *(node.fromClause or ())), node.whereClause)

    def visit_DeleteStmt(self, _ancestors: object, node: Any) -> None:  # noqa: N802
        self._check((node.relation, *(node.usingClause or ())), node.whereClause)

    def _check(self, tables: tuple[Any, ...], where: Any) -> None:
        ranges, conditions = [], list(_conjuncts(where))
        for table in tables:
            for each in _leaves(table):
                if _is(each, sql.RangeVar):
                    ranges.append(each)
                else:
                    conditions += _conjuncts(each)
        for table in ranges:
            if table.relname in DISTRIBUTED and not any(_names_store(each, table) for each in conditions):
                self.unnamed.append(table.relname)


def _leaves(table: Any) -> Iterator[Any]:
    """Yield the tables of a join, and its conditions. Subqueries are visited by themselves."""
    if _is(table, sql.JoinExpr):
        yield from _leaves(table.larg)
        yield from _leaves(table.rarg)
        if table.quals is not None:
            yield table.quals
    elif _is(table, sql.RangeVar):
        yield table


def _conjuncts(condition: Any) -> Iterator[Any]:
    if _is(condition, sql.BoolExpr) and condition.boolop.name == "AND_EXPR":
        for each in condition.args:
            yield from _conjuncts(each)
    elif condition is not None:
        yield condition


def _names_store(condition: Any, table: sql.RangeVar) -> bool:
    """Return whether the condition compares the store of this table with a parameter, or with another store."""
    if not _is(condition, sql.A_Expr) or condition.name is None or condition.name[-1].sval != "=":
        return False
    sides = (condition.lexpr, condition.rexpr)
    return any(
        _is_store_of(this, table) and (_is(other, sql.ParamRef) or _is_store(other) or _is_cast_parameter(other))
        for this, other in (sides, sides[::-1])
    )


def _is_cast_parameter(node: Any) -> bool:
    return _is(node, sql.TypeCast) and _is(node.arg, sql.ParamRef)


def _is_store_of(node: Any, table: sql.RangeVar) -> bool:
    if not _is(node, sql.ColumnRef):
        return False
    *qualifier, column = [part.sval for part in node.fields if _is(part, sql.String)] or [""]
    name = table.relname if table.alias is None else table.alias.aliasname
    return column == "store_id" and qualifier in ([], [name])


def _is_store(node: Any) -> bool:
    """Return whether this is a column, or a variable of a function, that holds a store's ID."""
    if not _is(node, sql.ColumnRef):
        return False
    names = [part.sval for part in node.fields if _is(part, sql.String)]
    return names[-1:] in (["store_id"], ["in_store"]) or names in (["store", "id"], ["caller", "id"])


def _is(node: Any, kind: type) -> bool:
    """Return whether the node is of this kind. The types of pglast say of each attribute that it may be None."""
    return isinstance(node, kind)
