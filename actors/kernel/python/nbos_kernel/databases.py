"""sqlite3: a database in memory travels with its content, one in a file is opened again; so are those attached to it."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from nbos_kernel.pins import absent
from nbos_kernel.registry import reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

# Settings that a connection has and its database does not: those that matter while a database is filled, and those after.
_FIRST = ("temp_store", "cache_size", "synchronous", "secure_delete", "ignore_check_constraints", "trusted_schema", "legacy_alter_table")
_LAST = ("recursive_triggers", "foreign_keys", "automatic_index", "reverse_unordered_selects", "full_column_names", "short_column_names",
         "busy_timeout", "max_page_count", "query_only")
_ROW_IDS = ("rowid", "_rowid_", "oid")

Statements = list[tuple[str, "list[Any] | None"]]


@reduces_all("sqlite3.Connection")
def reduce(pickler: StatePickler, connection: Any) -> Any:
    import sqlite3

    if type(connection) is not sqlite3.Connection:
        return pickler.pin(connection, "it is a connection of a class of its own")
    try:
        databases = _plain(connection, "PRAGMA database_list")
    except sqlite3.ProgrammingError:
        return closed, ()
    if connection.in_transaction:
        return pickler.pin(connection, "a transaction is open in it")
    sensitive = _plain(connection, "SELECT 'a' LIKE 'A'") == [(0,)]
    if _functions(connection) - _built_in(sensitive):
        return pickler.pin(connection, "SQL calls functions of the notebook in it")
    temporary = _temporary(connection) if any(name == "temp" for _, name, _ in databases) else []
    if temporary is None:
        return pickler.pin(connection, "it has temporary tables that SQL does not tell how to make again")
    (_, path, content), *attached = [_stored(connection, name, file) for _, name, file in databases if name != "temp"]
    settings = {"attached": attached, "temporary": temporary, "pragmas": _pragmas(connection, sensitive), "types": _types(connection),
                "limits": _limits(connection)}
    state = {"isolation_level": connection.isolation_level, "row_factory": connection.row_factory, "text_factory": connection.text_factory}
    return open_again, (pickler.name, path, content, settings), state, None, None, set_options


@walks("sqlite3.Connection")
def children(connection: Any) -> tuple[Any, ...]:
    return (connection.row_factory, connection.text_factory)


def _plain(connection: Any, query: str) -> list[Any]:
    factories = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, str
    try:
        rows: list[Any] = connection.execute(query).fetchall()
    finally:
        connection.row_factory, connection.text_factory = factories
    return rows


def _stored(connection: Any, name: str, file: str | None) -> tuple[str, str, bytes | None]:
    """A real file has an absolute path; a database that was loaded from bytes shows some name."""
    if file and os.path.isabs(file):
        return name, file, None
    is_empty = _plain(connection, f"PRAGMA {_quoted(name)}.page_count") == [(0,)]  # the library serializes no empty one
    return name, "", b"" if is_empty else connection.serialize(name=name)


def _functions(connection: Any) -> frozenset[Any]:
    """What SQL can call in it. The library does not give the Python function behind a name."""
    functions = ((name, built_in, arguments) for name, built_in, _, _, arguments, _ in _plain(connection, "PRAGMA function_list"))
    return frozenset((*functions, *(name for _, name in _plain(connection, "PRAGMA collation_list"))))


@functools.cache
def _built_in(sensitive: bool) -> frozenset[Any]:
    import sqlite3

    fresh = sqlite3.connect(":memory:")
    try:
        fresh.execute(f"PRAGMA case_sensitive_like = {int(sensitive)}")
        return _functions(fresh)
    finally:
        fresh.close()


# What a connection was told.


def _pragmas(connection: Any, sensitive: bool) -> dict[str, int]:
    found = {name: value for name in (*_FIRST, *_LAST) for (value,) in _plain(connection, f"PRAGMA {name}")}
    usual = _usual()
    changed = {name: value for name, value in found.items() if usual.get(name) != value}
    return changed | ({"case_sensitive_like": 1} if sensitive else {})


@functools.cache
def _usual() -> dict[str, int]:
    import sqlite3

    fresh = sqlite3.connect(":memory:")
    try:
        return {name: value for name in (*_FIRST, *_LAST) for (value,) in fresh.execute(f"PRAGMA {name}")}
    finally:
        fresh.close()


def _types(connection: Any) -> int:
    """Which types it detects: it does not tell, but it calls the converters of those."""
    import sqlite3

    converters, mark = getattr(sqlite3, "converters", None), object()
    if converters is None:
        return 0
    asked = ((sqlite3.PARSE_DECLTYPES, "SELECT type FROM sqlite_master UNION ALL SELECT 'x'"), (sqlite3.PARSE_COLNAMES, "SELECT 'x' AS \"x [text]\""))
    own = converters.get("TEXT", mark)
    converters["TEXT"] = lambda _: mark
    try:
        return sum(flag for flag, query in asked if any(value is mark for (value,) in _plain(connection, query)))
    finally:
        if own is mark:
            del converters["TEXT"]
        else:
            converters["TEXT"] = own


def _limits(connection: Any) -> dict[int, int]:
    import sqlite3

    if not hasattr(connection, "getlimit"):
        return {}
    kinds = [value for name, value in vars(sqlite3).items() if name.startswith("SQLITE_LIMIT_")]
    return {kind: connection.getlimit(kind) for kind in kinds if connection.getlimit(kind) != _usual_limit(kind)}


@functools.cache
def _usual_limit(kind: int) -> int:
    import sqlite3

    fresh = sqlite3.connect(":memory:")
    try:
        limit: int = fresh.getlimit(kind)
        return limit
    finally:
        fresh.close()


def _temporary(connection: Any) -> Statements | None:
    """What makes its temporary tables again: a statement with the rows for it. None if that cannot be told."""
    found, numbers = [], []
    order = "instr('table index view trigger', type), rowid"
    for kind, name, sql in _plain(connection, f"SELECT +type AS a, +name AS b, +sql AS c FROM temp.sqlite_master ORDER BY {order}"):
        if name == "sqlite_sequence":
            rows = _plain(connection, "SELECT +name AS a, +seq AS b FROM temp.sqlite_sequence")
            numbers += [("DELETE FROM temp.sqlite_sequence", None), ("INSERT INTO temp.sqlite_sequence VALUES (?, ?)", rows)]
        elif sql is None:
            continue  # an index that comes with its table
        elif kind == "index":
            found.append((sql, None))
        elif name.startswith("sqlite_") or not sql.upper().startswith(f"CREATE {kind.upper()} "):
            return None
        else:
            found.append((f"CREATE TEMP {sql[len('CREATE '):]}", None))
            if kind == "table":
                found.append(_rows(connection, name))
    at = next((place for place, (sql, _) in enumerate(found) if sql.startswith(("CREATE TEMP VIEW", "CREATE TEMP TRIGGER"))), len(found))
    return [*found[:at], *numbers, *found[at:]]


def _rows(connection: Any, table: str) -> tuple[str, list[Any] | None]:
    import sqlite3

    columns = [column[1] for column in _plain(connection, f"PRAGMA temp.table_xinfo({_quoted(table)})") if column[6] == 0]
    row_id = next((name for name in _ROW_IDS if name not in map(str.lower, columns)), None)
    for names in ([row_id, *map(_quoted, columns)], list(map(_quoted, columns))):
        # The sign takes its declared type from a column: no converter of the notebook is called.
        values = ", ".join(f"+{name} AS c{place}" for place, name in enumerate(names))
        try:
            rows = _plain(connection, f"SELECT {values} FROM temp.{_quoted(table)}")
        except sqlite3.OperationalError:
            continue  # it has no row numbers
        return f"INSERT INTO temp.{_quoted(table)}({', '.join(map(str, names))}) VALUES ({', '.join('?' * len(names))})", rows
    raise LookupError(table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# What payloads call.


def open_again(name: str, path: str, content: bytes | None, settings: dict[str, Any]) -> Any:
    import sqlite3

    for file in (path, *(file for _, file, _ in settings["attached"])):
        if file and not os.path.isfile(file):
            return absent(name, "Connection", f"{file}: no such file")
    made = sqlite3.connect(path or ":memory:", detect_types=settings["types"], isolation_level=None)
    if content:
        made.deserialize(content)
    for schema, file, bytes_of in settings["attached"]:
        made.execute(f"ATTACH ? AS {_quoted(schema)}", (file or ":memory:",))
        if bytes_of:
            made.deserialize(bytes_of, name=schema)
    pragmas = settings["pragmas"]
    for pragma in [it for it in pragmas if it not in _LAST]:
        made.execute(f"PRAGMA {pragma} = {pragmas[pragma]}")
    for statement, rows in settings["temporary"]:
        if rows is None:
            made.execute(statement)
        else:
            made.executemany(statement, rows)
    for pragma in [it for it in _LAST if it in pragmas]:
        made.execute(f"PRAGMA {pragma} = {pragmas[pragma]}")
    for kind, limit in settings["limits"].items():
        made.setlimit(kind, limit)
    return made


def set_options(connection: Any, options: dict[str, Any]) -> None:
    for name, value in options.items():
        if hasattr(connection, name):
            setattr(connection, name, value)


def closed() -> Any:
    import sqlite3

    made = sqlite3.connect(":memory:")
    made.close()
    return made
