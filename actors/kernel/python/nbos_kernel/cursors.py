"""sqlite3: cursors whose query has no rows left, with what the last statement said, and rows."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nbos_kernel.registry import reduces, reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_ASIDE = "nbos_aside"


@reduces("sqlite3.Cursor")
def reduce(pickler: StatePickler, cursor: Any) -> Any:
    if _is_closed(cursor.connection.cursor):
        return pickler.pin(cursor, "its connection is closed")
    if cursor.description is not None and _has_statement(cursor):
        return pickler.pin(cursor, "its query may have rows left")
    names = tuple(column[0] for column in cursor.description or ())
    is_closed = not _has_statement(cursor) and _is_closed(cursor.fetchone)
    return new_cursor, (cursor.connection, (cursor.lastrowid, cursor.rowcount, names, cursor.arraysize, cursor.row_factory, is_closed))


@reduces_all("sqlite3.Row")
def reduce_row(_pickler: StatePickler, found: Any) -> Any:
    return row, (type(found), tuple(found.keys()), tuple(found))


@walks("sqlite3.Cursor")
def children(cursor: Any) -> tuple[Any, ...]:
    return (cursor.connection, cursor.row_factory)


def _has_statement(cursor: Any) -> bool:
    """A query goes with its last row; what gives no rows may stay, and asking for one would run it again. Before
    Python 3.11 a cursor does not show what it has."""
    held = gc.get_referents(cursor)
    return not any(it is cursor.connection for it in held) or any(type(it).__name__ == "Statement" for it in held)


def _is_closed(ask: Callable[[], Any]) -> bool:
    import sqlite3

    try:
        ask()
    except sqlite3.ProgrammingError:
        return True
    return False


# What payloads call.


def new_cursor(connection: Any, said: tuple[Any, ...] = (None, -1, (), 1, None, False)) -> Any:
    last, count, names, size, factory, is_closed = said
    if last is None and count < 0 and not names:
        made = connection.cursor()
    else:
        with _aside(connection):
            made = connection.cursor()
            _say_again(connection, made, last, count, names)
    made.arraysize, made.row_factory = size, factory
    if is_closed:
        made.close()
    return made


def _say_again(connection: Any, cursor: Any, last: int | None, count: int, names: tuple[str, ...]) -> None:
    """A cursor has its numbers and its columns from statements only: the last one here gives it the same."""
    columns = _columns(names)
    if count >= 0:
        connection.execute(f"CREATE TABLE {_ASIDE}.counted(value)")
        many = "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ?) SELECT NULL FROM number WHERE ?"
        connection.execute(f"INSERT INTO {_ASIDE}.counted {many}", (count, count))
    if last is not None:
        connection.execute(f"CREATE TABLE {_ASIDE}.numbered(value)")
        connection.execute(f"INSERT INTO {_ASIDE}.numbered(rowid, value) VALUES (?, NULL)", (last,))
    if last is None and count >= 0:
        cursor.executemany(f"DELETE FROM {_ASIDE}.counted", [()])  # leaves the number alone
    elif count >= 0:
        cursor.execute(f"DELETE FROM {_ASIDE}.counted" + (f" RETURNING {columns}" if names else ""))
    elif names:
        cursor.execute(f"SELECT {columns} WHERE 0")
    else:
        cursor.execute(f"DROP TABLE {_ASIDE}.numbered")
    cursor.fetchall()


@contextmanager
def _aside(connection: Any) -> Iterator[None]:
    """A database of its own for a moment, and no setting of the notebook's in the way."""
    kept = {name: getattr(connection, name) for name in ("row_factory", "isolation_level")}
    connection.row_factory = connection.isolation_level = None
    ((read_only,),) = connection.execute("PRAGMA query_only").fetchall()
    try:
        connection.execute("PRAGMA query_only = 0")
        connection.execute(f"ATTACH ':memory:' AS {_ASIDE}")
        yield
    finally:
        connection.execute(f"DETACH {_ASIDE}")
        connection.execute(f"PRAGMA query_only = {read_only}")
        for name, value in kept.items():
            setattr(connection, name, value)


def row(cls: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return cls(_cursor(names), values)


@functools.lru_cache(maxsize=64)
def _cursor(names: tuple[str, ...]) -> Any:
    """A cursor whose columns have these names: a row takes them from one."""
    import sqlite3

    return sqlite3.connect(":memory:").execute("SELECT " + _columns(names))


def _columns(names: tuple[str, ...]) -> str:
    return ", ".join('NULL AS "' + name.replace('"', '""') + '"' for name in names)
