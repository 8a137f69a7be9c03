"""Objects of IPython that a notebook holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbos_kernel import rebuild
from nbos_kernel.registry import reduces_all

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler


@reduces_all("IPython.core.interactiveshell.InteractiveShell")
def reduce_shell(_pickler: StatePickler, _shell: Any) -> Any:
    return rebuild.shell, ()
