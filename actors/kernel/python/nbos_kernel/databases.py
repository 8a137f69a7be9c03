"""sqlite3: a database in memory travels with its content, one in a file is opened again."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from nbos_kernel.pins import absent
from nbos_kernel.registry import reduces, reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


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
    if [name for _, name, _ in databases] != ["main"]:
        return pickler.pin(connection, "it has temporary tables or attached databases")
    if _functions(connection) - _built_in():
        return pickler.pin(connection, "SQL calls functions of the notebook in it")
    # A real file has an absolute path; a database that was loaded from bytes shows some name.
    path = databases[0][2] if os.path.isabs(databases[0][2] or "") else ""
    content = None if path else connection.serialize()
    state = {"isolation_level": connection.isolation_level, "row_factory": connection.row_factory, "text_factory": connection.text_factory}
    return open_again, (pickler.name, path, content), state, None, None, set_options


@reduces("sqlite3.Cursor")
def reduce_cursor(pickler: StatePickler, cursor: Any) -> Any:
    if cursor.description is not None:
        return pickler.pin(cursor, "its query may have rows left")
    return new_cursor, (cursor.connection,)


@reduces_all("sqlite3.Row")
def reduce_row(_pickler: StatePickler, found: Any) -> Any:
    return row, (type(found), tuple(found.keys()), tuple(found))


@walks("sqlite3.Connection")
def of_connection(connection: Any) -> tuple[Any, ...]:
    return (connection.row_factory, connection.text_factory)


@walks("sqlite3.Cursor")
def of_cursor(cursor: Any) -> tuple[Any, ...]:
    return (cursor.connection, cursor.row_factory)


def _plain(connection: Any, query: str) -> list[Any]:
    factories = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, str
    try:
        rows: list[Any] = connection.execute(query).fetchall()
    finally:
        connection.row_factory, connection.text_factory = factories
    return rows


def _functions(connection: Any) -> frozenset[Any]:
    """What SQL can call in it. The library does not give the Python function behind a name."""
    functions = ((name, built_in, arguments) for name, built_in, _, _, arguments, _ in _plain(connection, "PRAGMA function_list"))
    return frozenset((*functions, *(name for _, name in _plain(connection, "PRAGMA collation_list"))))


@functools.cache
def _built_in() -> frozenset[Any]:
    import sqlite3

    fresh = sqlite3.connect(":memory:")
    try:
        return _functions(fresh)
    finally:
        fresh.close()


# What payloads call.


def open_again(name: str, path: str, content: bytes | None) -> Any:
    import sqlite3

    if path and not os.path.isfile(path):
        return absent(name, "Connection", f"{path}: no such file")
    made = sqlite3.connect(path or ":memory:")
    if content is not None:
        made.deserialize(content)
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


def new_cursor(connection: Any) -> Any:
    return connection.cursor()


def row(cls: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return cls(_cursor(names), values)


@functools.lru_cache(maxsize=64)
def _cursor(names: tuple[str, ...]) -> Any:
    """A cursor whose columns have these names: a row takes them from one."""
    import sqlite3

    columns = ", ".join('NULL AS "' + name.replace('"', '""') + '"' for name in names)
    return sqlite3.connect(":memory:").execute("SELECT " + columns)
