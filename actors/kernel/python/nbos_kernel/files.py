"""Open files. One that is read goes on where it was; one that is written belongs to one process."""

from __future__ import annotations

import codecs
import gc
import io
import os
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbos_kernel import compressed
from nbos_kernel.pins import absent
from nbos_kernel.rebuild import bare, set_state
from nbos_kernel.registry import reduces, reduces_all, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


_BUFFERED = (io.BufferedReader, io.BufferedWriter, io.BufferedRandom)
_LARGEST = 64 << 20  # bytes of a text file that is read once more to find out where its reader is


@reduces(io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)
def reduce(pickler: StatePickler, file: Any) -> Any:
    known = pickler.singleton(file)
    if known is not None:
        return known
    under = _raw(file)
    if isinstance(file, io.TextIOWrapper) and not isinstance(under, _BUFFERED):
        return _over(pickler, file, under)
    if isinstance(file, _BUFFERED) and isinstance(getattr(file, "raw", None), io.BytesIO) and not file.closed:
        return _buffered(file)
    name, mode = getattr(file, "name", None), getattr(file, "mode", "r")
    if file.closed:  # the pipe of a process has no mode
        return closed, (type(file), name if isinstance(name, (str, bytes, int)) else "", getattr(file, "mode", None))
    path = path_of(file, name)
    if path is None:
        return pickler.pin(file, "it is not a regular file")
    options: dict[str, Any] = {}
    try:
        if isinstance(file, io.TextIOWrapper):
            position = _told(file, lambda: open(path, encoding=file.encoding, errors=file.errors, newline=_newline(file)))  # noqa: SIM115
            options = {"encoding": file.encoding, "errors": file.errors, "newline": _newline(file),
                       "line_buffering": file.line_buffering, "write_through": file.write_through}
        else:
            position = file.tell()
        if set(mode) & set("wax+"):
            file.flush()
    except (OSError, ValueError) as error:
        return pickler.pin(file, str(error))
    attributes = {name: value for name, value in file.__dict__.items() if name != "mode"}
    return opened, (pickler.name, type(file), path, name, mode, position, options), attributes or None, None, None, set_state


@reduces(io.StringIO, io.BytesIO)
def reduce_memory_file(pickler: StatePickler, file: Any) -> Any:
    return (closed_in_memory, (type(file),)) if file.closed else pickler.ordinary(file)


@reduces_all("tempfile._TemporaryFileWrapper")
def reduce_temporary(pickler: StatePickler, file: Any) -> Any:
    if file.delete and not file.file.closed:
        return pickler.pin(file, "a temporary file belongs to one process")
    return bare, (type(file),), (file.file, file.name, file.delete), None, None, set_temporary


@reduces_all("tempfile.SpooledTemporaryFile")
def reduce_spooled(pickler: StatePickler, file: Any) -> Any:
    if file._rolled and not file.closed:
        return pickler.pin(file, "a temporary file belongs to one process")
    return bare, (type(file),), vars(file), None, None, set_state


@reduces_all(codecs.StreamReader, codecs.StreamWriter, codecs.StreamReaderWriter, codecs.StreamRecoder)
def reduce_stream(pickler: StatePickler, stream: Any) -> Any:
    return bare, (type(stream),), vars(stream), None, None, set_state


@reduces(tempfile.TemporaryDirectory)
def reduce_directory(pickler: StatePickler, directory: Any) -> Any:
    """Its name and no finalizer: only the process that made the directory removes it by itself."""
    return temporary_directory, (directory.name, {k: v for k, v in vars(directory).items() if k not in ("_finalizer", "name")})


@walks(io.IOBase)
def children(file: Any) -> tuple[Any, ...]:
    attributes = getattr(file, "__dict__", None) or {}
    _settle(file)
    under = _raw(file) if isinstance(file, io.TextIOWrapper) else file.raw if isinstance(file, _BUFFERED) else None
    return (*attributes.values(), *((under,) if under is not None and not isinstance(under, (*_BUFFERED, io.FileIO)) else ()))


def _settle(file: Any) -> None:
    """What was written to memory and is still underway arrives, before anything that shares the memory is pickled."""
    under = _raw(file) if isinstance(file, io.TextIOWrapper) else getattr(file, "raw", None)
    if isinstance(under, io.BytesIO) and under is not file and not file.closed and not isinstance(file, io.BufferedReader):
        file.flush()


def _raw(file: Any) -> Any:
    if not isinstance(file, io.TextIOWrapper):
        return file
    try:
        return file.buffer
    except ValueError:
        return None  # detached


def path_of(file: Any, name: Any) -> str | None:
    """Where the file is; the name it was opened by may be relative to another directory than the current one."""
    if not isinstance(name, (str, bytes)):
        return None
    try:
        here = os.fstat(file.fileno())
        for path in (os.path.abspath(os.fsdecode(name)), os.path.realpath(f"/proc/self/fd/{file.fileno()}")):
            if os.path.isfile(path) and os.path.samestat(here, os.stat(path)):
                return path
    except OSError:
        pass
    return None  # removed, or replaced by another file of its name


def _told(file: io.TextIOWrapper, again: Callable[[], io.TextIOWrapper]) -> int:
    """Its position. While it is iterated it does not tell: what it has still to give tells it. `again`: the same content
    from its start."""
    try:
        position = file.tell()
    except OSError:
        if _size(file) > _LARGEST:
            raise
        rest = file.read()
        with again() as other:
            whole = len(other.read())
            other.seek(0)
            other.read(whole - len(rest))
            position = other.tell()
    file.seek(position)  # and forgets what it has read ahead
    return position


def _size(file: Any) -> int:
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:
        return 0  # in memory


def _newline(file: io.TextIOWrapper) -> str | None:
    """What ``open`` was told of the ends of lines; only the collector is told. Right after `_told` did: what was read ahead
    is a string, too."""
    texts = [it for it in gc.get_referents(file) if type(it) is str]
    return texts[1] if len(texts) == 3 and texts[1] in ("", "\n", "\r", "\r\n") else None


def _over(pickler: StatePickler, file: Any, under: Any) -> Any:
    """Over memory, or over a compressed file."""
    if under is None or file.closed:
        return pickler.pin(file, "what it wrote to is gone")
    if isinstance(under, io.BytesIO):
        again = lambda: io.BytesIO(under.getvalue())
    elif compressed.is_one(under) and under.readable() and compressed.path_of(under) is not None:
        again = lambda: compressed.again(under)
    else:
        return pickler.pin(file, "what it reads or writes is not a regular file")
    position = _told(file, lambda: io.TextIOWrapper(again(), file.encoding, file.errors, newline=_newline(file)))
    file.flush()
    return over_memory, (under, file.encoding, file.errors, file.line_buffering, position, _newline(file), file.write_through)


def _buffered(file: Any) -> Any:
    """Over memory. Where the memory stands tells how far it was read ahead."""
    size = max(1, file.__sizeof__() - type(file).__basicsize__)
    under = file.raw
    if not isinstance(file, io.BufferedReader):
        file.flush()
    position = file.tell()
    ahead = under.tell() - position if isinstance(file, io.BufferedReader) else 0
    # The buffer began where it was filled from, or at the position when it holds the end.
    start = position if under.tell() >= len(under.getbuffer()) else max(0, under.tell() - size)
    return buffered, (type(file), under, size, position, start if ahead > 0 else None), file.__dict__ or None, None, None, set_state


# What payloads call.


def opened(variable: str, cls: type, path: str, name: str, mode: str, position: int, options: dict[str, Any]) -> Any:
    """A file at its position; never truncated, whatever its mode was when it was opened first."""
    flags = os.O_RDWR if "+" in mode else os.O_RDONLY if "r" in mode else os.O_WRONLY
    try:
        descriptor = os.open(path, flags | (os.O_APPEND if "a" in mode else 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        return absent(variable, "file", f"{path}: {error}")
    plain = ("a" if "a" in mode else "r" if "r" in mode else "w") + ("+" if "+" in mode else "")
    raw = io.FileIO(descriptor, plain)  # type: ignore[arg-type]
    raw.name = name
    made: Any = raw
    if cls is not io.FileIO:
        made = io.BufferedRandom(raw) if "+" in mode else io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)
    if cls is io.TextIOWrapper:
        made = io.TextIOWrapper(made, **options)
        made.mode = mode
    made.seek(position)
    return made


def closed_in_memory(cls: type) -> Any:
    made = cls()
    made.close()
    return made


def closed(cls: type, name: Any, given: str | None) -> Any:
    """A closed file object; its name and mode are all that is left of it."""
    mode = given or "r"
    raw = io.FileIO(os.open(os.devnull, os.O_RDWR), "".join(it for it in mode if it in "rwax+"))
    made: Any = raw
    if cls is io.TextIOWrapper:
        made = io.TextIOWrapper(io.BufferedReader(raw) if raw.readable() else io.BufferedWriter(raw))
        if given is not None:
            made.mode = mode
    elif cls is not io.FileIO:
        made = cls(raw)
    raw.name = name
    made.close()
    return made


def over_memory(under: Any, encoding: str, errors: str, line_buffering: bool, position: int, newline: str | None,
                write_through: bool = False) -> Any:
    made = io.TextIOWrapper(under, encoding, errors, newline, line_buffering, write_through)
    made.seek(position)
    return made


def buffered(cls: Any, under: Any, size: int, position: int, start: int | None) -> Any:
    under.seek(position if start is None else start)
    made = cls(under, size)
    if start is not None:
        made.peek(1)
        made.read(position - start)
    return made


def set_temporary(made: Any, state: tuple[Any, str, bool]) -> None:
    file, name, delete = state
    tempfile._TemporaryFileWrapper.__init__(made, file, name, delete=False)  # type: ignore[attr-defined]
    made.delete, made._closer.close_called = delete, file.closed


def temporary_directory(name: str, attributes: dict[str, Any]) -> Any:
    made = tempfile.TemporaryDirectory.__new__(tempfile.TemporaryDirectory)
    made.name = name
    vars(made).update(attributes)
    made._finalizer = _no_finalizer()  # type: ignore[attr-defined]
    return made


def _no_finalizer() -> Any:
    import weakref

    made = weakref.finalize(tempfile, int)
    made.detach()
    return made
