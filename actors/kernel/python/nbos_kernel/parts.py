"""IPython's own objects, which exist once in every process and travel by name.

A notebook may keep ``get_ipython().display_formatter``, the kernel or the running event loop in a variable; on
the standby the variable must be the standby's own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from nbos_kernel.magics import of_a_library

_OF_THE_SHELL = (
    "events display_formatter displayhook display_pub history_manager alias_manager extension_manager magics_manager "
    "prefilter_manager payload_manager builtin_trap display_trap input_transformer_manager compile InteractiveTB SyntaxTB "
    "Completer inspector logger hooks meta configurables user_ns_hidden ast_transformers input_transformers_post dir_stack "
    "kernel config profile_dir exiter"
).split()
_OF_THE_KERNEL = "session comm_manager iopub_socket iopub_thread io_loop parent log".split()


class Parts:
    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._known: tuple[int, int] | None = None
        self._tags: dict[str, Any] = {}
        try:
            self._loop: Any = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def tags(self) -> dict[str, Any]:
        shell = self._shell
        known = (len(shell.configurables), len(shell.magics_manager.registry))
        if known != self._known:
            self._known = known
            self._tags = {tag: it for tag, it in self._all().items() if it is not None}
        return self._tags

    def _all(self) -> dict[str, Any]:
        shell = self._shell
        found = {"loop": self._loop}
        for name in _OF_THE_SHELL:
            found[f"shell.{name}"] = getattr(shell, name, None)
        kernel = getattr(shell, "kernel", None)
        for name in _OF_THE_KERNEL:
            found[f"kernel.{name}"] = getattr(kernel, name, None)
        formatter = shell.display_formatter
        found["formatters"] = formatter.formatters
        formatters = [*formatter.formatters.values(), formatter.ipython_display_formatter, formatter.mimebundle_formatter]
        found |= {f"formatter.{type(it).__name__}": it for it in formatters}
        found |= {f"part.{type(it).__name__}": it for it in shell.configurables if of_a_library(type(it).__module__)}
        magics = shell.magics_manager
        found |= {f"magics.{kind}": table for kind, table in magics.magics.items()}
        found["magics.registry"] = magics.registry
        found |= {f"magics.{name}": it for name, it in magics.registry.items() if of_a_library(type(it).__module__)}
        return found
