"""Which names can a cell touch? Answered from its syntax tree, before it runs.

Looking at every variable after every cell would cost in proportion to the session. A cell can reach
a variable only through a name in its code, through a function it names, or through something dynamic
(``exec``, ``globals()``, a magic we do not know): the last makes the next capture look at everything.
"""

from __future__ import annotations

import ast
import dis
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

# Built-in functions that reach variables by a name that is data. As attributes (``model.eval()``) they mean nothing.
_BY_DATA = frozenset("globals locals vars eval exec __import__".split())
# Attributes and modules through which code reaches variables that it does not name.
DYNAMIC = _BY_DATA | frozenset(
    "__main__ user_ns user_global_ns run_cell run_code builtins __builtins__ currentframe _getframe f_globals f_locals "
    "f_back __globals__ get_objects get_referrers ctypes run_line_magic run_cell_magic".split()
)
# Magics that change no existing variable. A new name they bind is found by the id sweep.
QUIET_MAGICS = frozenset(
    "alias autosave bash cd colors conda config dirs edit env hist history html HTML javascript js latex load_ext ls "
    "lsmagic magic markdown matplotlib mamba micromamba mkdir more notebook page pfile pdoc pdef pip pinfo pinfo2 popd "
    "pprint precision psearch psource pushd pwd pycat recall rehashx ruby perl script sh set_env svg SVG sx system "
    "unalias uv who who_ls whos writefile file xmode".split()
)
# Magics whose argument or body is ordinary code.
CODE_MAGICS = frozenset("time timeit capture prun".split())
# Calls that take the name of an attribute or a module as text.
_BY_TEXT = frozenset("setattr delattr patch __setattr__ __delattr__ __dict__ vars update ModuleType module_from_spec modules".split())
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)*\Z")
_STORES = (dis.opmap["STORE_ATTR"], dis.opmap["DELETE_ATTR"])
_MAGIC_CALLS = frozenset({"run_line_magic", "run_cell_magic", "system", "getoutput"})


@dataclass
class Plan:
    """What a cell may touch; grows when a cell runs another one inside."""

    names: set[str] = field(default_factory=set)
    everything: bool = False
    # Attributes that the cell's own code sets or deletes, and dotted names in its strings when it has calls that take such.
    stores: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def code_names(code: CodeType, into: set[str]) -> None:
    """Every global or attribute name that a code object uses, nested functions included."""
    if _BY_DATA.isdisjoint(code.co_names):
        into.update(code.co_names)
    else:
        into |= set(code.co_names) - (_BY_DATA - _loaded_as_globals(code))
    for const in code.co_consts:
        if isinstance(const, CodeType):
            code_names(const, into)


def _loaded_as_globals(code: CodeType) -> set[str]:
    return {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_NAME", "LOAD_GLOBAL")}


def analyse(nodes: list[ast.stmt], transform: Any, plan: Plan) -> None:
    """Add what a list of statements may touch. `transform` is IPython's cell transformer, for
    the code inside magics."""
    code = compile(ast.Module(list(nodes), []), "<nbos>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    names: set[str] = set()
    code_names(code, names)
    plan.names |= names
    code_stores(code, plan.stores)
    if not names.isdisjoint(_BY_TEXT):
        _code_texts(code, plan.texts)
    if "get_ipython" in names:
        names.discard("get_ipython")
        # The calls that stand for magics are read one by one; the names they consist of are not a sign of anything.
        names -= _MAGIC_CALLS
        _magics(nodes, transform, plan)
    if names & DYNAMIC:
        plan.everything = True


def add_source(source: str, transform: Any, plan: Plan) -> None:
    """Add what a piece of source may touch."""
    try:
        analyse(ast.parse(transform(source)).body, transform, plan)
    except (SyntaxError, ValueError):
        plan.everything = True


def code_stores(code: CodeType, into: set[str]) -> None:
    """The names of attributes that a code object sets or deletes."""
    operations = code.co_code[::2]
    if operations.find(_STORES[0]) >= 0 or operations.find(_STORES[1]) >= 0:
        into.update(i.argval for i in dis.get_instructions(code) if i.opcode in _STORES)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            code_stores(const, into)


def _code_texts(code: CodeType, into: set[str]) -> None:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            _code_texts(const, into)
        elif isinstance(const, str) and len(const) < 200 and _DOTTED.match(const):
            into.add(const)
        elif isinstance(const, tuple):
            into.update(it for it in const if isinstance(it, str) and len(it) < 200 and _DOTTED.match(it))


def _magics(nodes: Iterable[ast.stmt], transform: Any, plan: Plan) -> None:
    accounted = set()
    shells = []
    for statement in nodes:
        for node in ast.walk(statement):
            if is_shell(node):
                shells.append(node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_shell(node.func.value):
                if node.func.attr in _MAGIC_CALLS:
                    accounted.add(id(node.func.value))
                    _magic(node.func.attr, node.args, transform, plan)
    if any(id(shell) not in accounted for shell in shells):
        plan.everything = True


def is_shell(node: ast.AST) -> bool:
    """``get_ipython()``, which the transformed source of a magic begins with."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


def _magic(call: str, args: list[ast.expr], transform: Any, plan: Plan) -> None:
    if call in ("system", "getoutput"):
        return
    texts = [arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if len(texts) != len(args) or not texts:
        plan.everything = True
    elif texts[0] in CODE_MAGICS:
        for source in sources_in(texts):  # one that does not parse makes the plan "everything"
            add_source(source, transform, plan)
    elif texts[0] not in QUIET_MAGICS:
        plan.everything = True


def sources_in(texts: list[str]) -> list[str]:
    """The code in the arguments of a magic that runs code. The options before it are not code."""
    line, body = texts[1] if len(texts) > 1 else "", texts[2] if len(texts) > 2 else None
    sources = [] if body is None else [body]
    if line and (texts[0] in ("time", "timeit") or body is None and texts[0] != "capture"):
        sources.append(_without_options(line))
    return sources


def _without_options(line: str) -> str:
    words = line.split(" ")
    while words and words[0].startswith("-"):
        # "-n 10" and "-n10": an option's value is a number or an option itself.
        words.pop(0)
        if words and words[0].isdigit():
            words.pop(0)
    return " ".join(words)
