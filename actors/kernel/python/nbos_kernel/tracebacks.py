"""Tracebacks of exceptions that the notebook keeps: where each frame was, not what was in it.

A frame cannot be made, but code can be run that raises at the very instruction the frame had come to: the original
code object, with its instructions replaced and its table of positions kept. What prints a traceback sees no difference.
"""

from __future__ import annotations

import dis
import sys
import types
from typing import TYPE_CHECKING, Any

from nbos_kernel import rebuild
from nbos_kernel.registry import reduces

if TYPE_CHECKING:
    from nbos_kernel.pickler import StatePickler

_DEEPEST = 200  # a recursion error has a thousand frames of no interest; these are the outermost


@reduces(types.TracebackType)
def reduce(_pickler: StatePickler, traceback: types.TracebackType) -> Any:
    steps = []
    step: Any = traceback
    while step is not None and len(steps) < _DEEPEST:
        code = step.tb_frame.f_code
        steps.append((_stub(code, step.tb_lasti), str(step.tb_frame.f_globals.get("__name__")), step.tb_lasti, step.tb_lineno))
        step = step.tb_next
    return raised_again, (steps,)


def _stub(code: types.CodeType, at: int) -> types.CodeType:
    """Code that raises at instruction `at` and does nothing else."""
    raising = bytes((dis.opmap["RAISE_VARARGS"], 0))
    nothing = bytes((dis.opmap["NOP"], 0))
    before = bytes((dis.opmap["RESUME"], 0)) + nothing * (at // 2 - 1)
    after = nothing * (len(code.co_code) // 2 - at // 2 - 1)
    return code.replace(
        co_code=before + raising + after, co_consts=(), co_names=(), co_argcount=0,
        co_posonlyargcount=0, co_kwonlyargcount=0, co_flags=0, co_freevars=(), co_cellvars=(), co_varnames=(), co_nlocals=0,
        co_stacksize=1, co_exceptiontable=b"",
    )


# What payloads call.


def raised_again(steps: list[tuple[types.CodeType, str, int, int]]) -> types.TracebackType | None:
    made: types.TracebackType | None = None
    for code, module, at, line in reversed(steps):
        home = sys.modules.get(module)
        names = rebuild.Context.namespace if module == "__main__" or home is None else vars(home)
        try:
            eval(code, names)  # it only raises
        except RuntimeError as error:
            found = error.__traceback__
            if found is not None and found.tb_next is not None:
                made = types.TracebackType(made, found.tb_next.tb_frame, at, line)
    return made
