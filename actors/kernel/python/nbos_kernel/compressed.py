"""Compressed files that are read: opened again, and read up to where they were."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from nbos_kernel.pins import absent
from nbos_kernel.registry import reduces, walks

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

CLASSES = ("gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile")


@reduces(*CLASSES)
def reduce(pickler: StatePickler, file: Any) -> Any:
    where = (type(file).__module__, type(file).__qualname__)
    if file.closed:
        return closed, (*where, getattr(file, "name", None))
    if not file.readable():
        return pickler.pin(file, "it compresses what is written to it")
    path = path_of(file)
    if path is None:
        return pickler.pin(file, "it is not a regular file that it opened itself")
    return opened, (pickler.name, *where, path, getattr(file, "name", None), file.tell(), _options(file))


@walks(*CLASSES)
def nothing(_file: Any) -> tuple[Any, ...]:
    """What it draws from is its own."""
    return ()


def is_one(file: Any) -> bool:
    return f"{type(file).__module__}.{type(file).__qualname__}" in CLASSES


def path_of(file: Any) -> str | None:
    own = getattr(file, "myfileobj", None) or (file._fp if getattr(file, "_closefp", False) else None)
    from nbos_kernel import files  # which asks here what a text file wraps

    return files.path_of(own, getattr(own, "name", None)) if own is not None else None


def again(file: Any) -> Any:
    """The same content from its start."""
    return type(file)(path_of(file), "rb", **_options(file))


def _options(file: Any) -> dict[str, Any]:
    """How LZMA was told to read it."""
    raw = getattr(getattr(file, "_buffer", None), "raw", None)
    return dict(raw._decomp_args) if type(file).__qualname__ == "LZMAFile" else {}


# What payloads call.


def opened(variable: str, module: str, cls: str, path: str, name: Any, position: int, options: dict[str, Any]) -> Any:
    try:
        made = getattr(importlib.import_module(module), cls)(path, "rb", **options)
        made.seek(position)
    except (OSError, EOFError) as error:
        return absent(variable, cls, f"{path}: {error}")
    if name is not None:
        made.name = name
    return made


def closed(module: str, cls: str, name: Any) -> Any:
    made = getattr(importlib.import_module(module), cls)(os.devnull, "rb")
    made.close()
    if name is not None:
        made.name = name
    return made
