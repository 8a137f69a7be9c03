"""Audit mode: what would be wrong on another host is found, named and kept from going there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from replica import Child, Manifest

# A rule of the pickler that is wrong, as one of ours might be.
LOSES = '''
from nbos_kernel import registry
class Loses:
    def __init__(self): self.x, self.lost = 1, [5]
@registry.reduces("__main__.Loses")
def loses(pickler, it): return Loses, (), {"x": it.x}
'''
COPIES = '''
from nbos_kernel import registry
class Copies:
    def __init__(self, of): self.of = of
@registry.reduces("__main__.Copies")
def copies(pickler, it): return Copies, (list(it.of),)
'''


@pytest.fixture
def audited() -> Iterator[Child]:
    made = Child(arguments=["--audit"]).ready()
    yield made
    made.close()
    shutil.rmtree(made.dir, ignore_errors=True)


def pinned(delta: dict) -> list[str]:
    return [entry["name"] for entry in delta["pinned"]]


def test_a_lost_attribute_is_named_and_pinned(audited: Child) -> None:
    audited.execute(LOSES)
    result = audited.execute("bad = Loses(); bad.lost.append(6); fine = [1]")
    assert result.status == "ok" and "NB0905: variable 'bad'" in result.stderr and "bad.lost is here list 2 and there list 1" in result.stderr
    assert pinned(result.delta) == ["bad"] and "NB0901" not in result.stderr
    # It works on here, is not reported again, and the others are not held up.
    again = audited.execute("bad.x = 7; fine.append(2); bad.lost")
    assert again.text == "[5, 6]" and "NB0905" not in again.stderr and pinned(again.delta) == ["bad"]
    assert pinned(audited.execute("bad = 0").delta) == []


def test_a_broken_alias_is_named_and_pinned(audited: Child) -> None:
    audited.execute(COPIES)
    result = audited.execute("base = [1]; copy = Copies(base)")
    assert "NB0905: variable 'copy'" in result.stderr and "same as base" in result.stderr
    assert pinned(result.delta) == ["copy"]
    assert pinned(audited.execute("base.append(2)").delta) == ["copy"]


def test_other_hosts_get_a_placeholder(audited: Child) -> None:
    other, manifest = Child("h2").ready(), Manifest()
    try:
        for cell in (LOSES, "bad = Loses(); bad.lost.append(6); beside = {'k': [bad]}; fine = [1]"):
            manifest.take(audited.execute(cell), audited.host)
            assert manifest.follow(other) == []
        assert other.execute("fine").text == "[1]"
        for cell in ("bad.lost", "beside['k']"):
            refused = other.execute(cell)
            assert refused.ename == "PinnedError" and "NB0905" in refused.evalue
    finally:
        other.close()


def test_ordinary_sessions_are_quiet(audited: Child) -> None:
    cells = (
        "import collections, enum, functools, numpy as np",
        "a = [1, {2, 'x'}]; b = {'a': a, 'n': float('nan')}; t = (a, b)",
        "class Node:\n    __slots__ = ('next', 'v')\nn = Node(); n.next, n.v = n, a",
        "class Kind(enum.Enum):\n    ONE = 1\n    TWO = 'two'\nk = {Kind.ONE: [Kind.TWO]}",
        "def outer():\n    count = 0\n    def inc():\n        nonlocal count\n        count += 1\n        return count\n    return inc\ninc = outer(); inc()",
        "m = np.arange(12.).reshape(3, 4); v = m[1:, ::2]; big = np.zeros(200_000)",
        "v[0] = 7; big[5] = 1; a.append(b)",
        "p = functools.partial(outer, *[]); d = collections.defaultdict(list, x=[a]); dq = collections.deque([1], maxlen=3)",
        "g = (i for i in range(3)); next(g)",
        "1/0",
        "e = ValueError('x', [1]); s = {frozenset({1, 2}), ('y', 3)}",
        "del a, b",
    )
    for cell in cells:
        result = audited.execute(cell)
        assert "NB0905" not in result.stderr, result.stderr
    cost = audited.execute("pass").delta["took_us"]
    print(f"audit: {cost} µs for a cell beside {len(cells)} small variables")


def test_what_came_from_elsewhere_is_known(audited: Child) -> None:
    other, manifest = Child("h2").ready(), Manifest()
    try:
        manifest.take(other.execute("import numpy as np; big = np.arange(3_000_000); shared = [1]; also = shared"), other.host)
        assert manifest.follow(audited) == []
        result = audited.execute("also.append(2); big[0] = 5; mine = shared")
        assert "NB0905" not in result.stderr
    finally:
        other.close()


def test_an_audit_that_ends_is_said_once(audited: Child) -> None:
    audited.execute("import os, signal; os.kill(get_ipython().kernel._audit._process.pid, signal.SIGKILL)")
    said = [audited.execute(f"x{i} = {i}") for i in range(3)]
    assert sum("the audit of this session ended" in it.stderr for it in said) <= 1
    assert all(it.status == "ok" and it.delta["groups"] for it in said)


# After a cell's capture, and before the audit: what a standby gets is as if the capture had missed it.
MISSES = """
def install():
    from nbos_kernel import audit as module
    audit, names = get_ipython().kernel._audit, get_ipython().user_ns
    whole = audit._differences
    def differences(delta, suspects):
        audit.delta = delta
        exec(vars(audit).pop("missed", ""), names)
        return whole(delta, suspects)
    audit._differences = differences
install(); del install
"""
# The variables that must be named, what a cell makes, and what is different here afterwards.
CHANGES = {
    "a value deep in containers": ("v1", "v1 = {'a': [1, (2, [3, {'k': [4]}])]}", "v1['a'][1][1][1]['k'][0] = 5"),
    "a longer list": ("v2", "v2 = ({'x': [1]},)", "v2[0]['x'].append(2)"),
    "the order of a dictionary": ("v3", "v3 = [{'x': 1, 'y': 2}]", "v3[0]['x'] = v3[0].pop('x')"),
    "the type of a number": ("v4", "v4 = [[1]]", "v4[0][0] = True"),
    "an element of a set": ("v5", "v5 = [{1, 2}]", "v5[0].add(3)"),
    "a lost alias": ("v6", "base6 = [1]; v6 = {'l': (base6,)}", "v6['l'] = (list(base6),)"),
    "an alias that was none": ("v7", "base7 = [1]; v7 = {'l': [1]}", "v7['l'] = base7"),
    "a lost cycle": ("v8", "v8 = [[]]; v8[0].append(v8)", "v8[0][0] = [v8[0]]"),
    "what a closure holds": ("v9", "def make9():\n    n = [1]\n    return lambda: n\nv9 = [make9()]; del make9", "v9[0]()[0] = 2"),
    "a default": ("v10", "def v10(x, y=[1]): return y", "v10.__defaults__[0].append(2)"),
    "an attribute of a function": ("v11", "def v11(): 'text'\nv11.tag = [1]", "v11.tag[0] = 2"),
    "the text of a function": ("v12", "def v12(): 'text'", "v12.__doc__ = 'other'"),
    "the code of a function": ("v13", "def v13(): return 1", "v13.__code__ = (lambda: 2).__code__"),
    "a member of a class": ("V14", "class V14:\n    table = {'a': [1]}", "V14.table['a'].append(2)"),
    "a lost method": ("V15", "class V15:\n    def one(self): ...", "del V15.one"),
    "the bases of a class": ("V16", "class A16: ...\nclass B16: ...\nclass V16(A16): ...", "V16.__bases__ = (B16,)"),
    "a slot": ("v17", "class S17:\n    __slots__ = ('x', 'y')\nv17 = S17(); v17.x = [1]", "v17.x.append(2)"),
    "a slot that was empty": ("v18", "class S18:\n    __slots__ = ('x', 'y')\nv18 = [S18()]; v18[0].x = 1", "v18[0].y = None"),
    "the class of an instance": ("v19", "class A19: ...\nclass B19: ...\nv19 = [A19()]", "v19[0].__class__ = B19"),
    "what a derived container holds": ("v20", "class D20(dict): ...\nv20 = D20(a=[1]); v20.own = [1]", "dict.__getitem__(v20, 'a')[0] = 2"),
    "what it has beside that": ("v21", "class L21(list): ...\nv21 = L21([1]); v21.own = {'k': [1]}", "v21.own['k'][0] = 2"),
    "what a base in C holds": ("v22", "import datetime\nclass D22(datetime.date): ...\nv22 = [D22(2020, 1, 1)]", "v22[0] = D22(2020, 1, 2)"),
    "a generator of random numbers": ("v23", "import random\nv23 = [random.Random(1)]", "v23[0].random()"),
    "an error's argument": ("v24", "v24 = ValueError('x', [1])", "v24.args[1].append(2)"),
    "a length": ("v25", "import collections\nv25 = collections.deque([1], maxlen=2)", "v25 = collections.deque([1], maxlen=3)"),
    "a partial's argument": ("v26", "import functools\nv26 = functools.partial(print, [1])", "v26.args[0].append(2)"),
    "bytes": ("v27", "v27 = (bytearray(b'abc'),)", "v27[0][1] = 0"),
    "whose bytes they are": ("v28", "base28 = bytearray(b'abc'); v28 = memoryview(base28)", "v28 = memoryview(bytearray(base28))"),
    "where a text is read": ("v29", "import io\nv29 = io.StringIO('abc')", "v29.read(1)"),
    "what is referred to": ("v30", "import weakref\nclass O30: ...\na30, b30 = O30(), O30(); v30 = weakref.ref(a30)", "v30 = weakref.ref(b30)"),
    "a variable of a context": ("v31", "import contextvars\nv31 = contextvars.ContextVar('v31'); v31.set([1])", "v31.get()[0] = 2"),
    "an element of an array": ("v32", "import numpy as np\nv32 = {'k': [np.arange(10.)]}", "v32['k'][0][3] = 9"),
    "an object in an array": ("v33", "v33 = np.array([[1], {'k': [2]}], dtype=object)", "v33[1]['k'][0] = 3"),
    "memory that is shared": ("v34", "base34 = np.zeros(5); v34 = base34[1:]", "v34 = base34[1:].copy()"),
    "where in that memory": ("v35", "base35 = np.zeros(9); v35 = base35[1:3]", "v35 = base35[2:4]"),
    "a small view of a large array": ("v36", "base36 = np.zeros(100_000); v36 = base36[1:3]", "v36 = base36[1:3].copy()"),
    "a shape": ("v37", "v37 = np.zeros(4)", "v37 = np.zeros((2, 2))"),
    "a mask": ("v38", "v38 = np.ma.array([1, 2], mask=[0, 1])", "v38.mask[0] = True"),
    "a field of a record": ("v39", "v39 = np.zeros(2, dtype=np.dtype('i1,f8', align=True))", "v39[1]['f1'] = 1"),
    "an array's generator": ("v40", "v40 = [np.random.default_rng(1)]", "v40[0].random()"),
}
FRAMES = {
    "a cell of a frame": ("p1", "import pandas as pd\np1 = [pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})]", "p1[0].loc[0, 'a'] = 7"),
    "an object in a frame": ("p2", "p2 = pd.DataFrame({'a': [[1], [2]]})", "p2['a'][0].append(2)"),
    "the name of an index": ("p3", "p3 = pd.Series([1], index=pd.Index(['a'], name='i'))", "p3.index = p3.index.rename('j')"),
    "an attribute of a frame": ("p4", "p4 = pd.DataFrame({'a': [1]})", "p4.attrs['k'] = [1]"),
    "the type of a column": ("p5", "p5 = pd.DataFrame({'a': [1]})", "p5['a'] = p5['a'].astype('float64')"),
    "a column that is shared": ("p6", "base6 = pd.DataFrame({'i': pd.array([1, None], dtype='Int64')}); p6 = base6['i'].array", "p6 = p6.copy()"),
    "a category": ("p7", "p7 = pd.Series(pd.Categorical(['x', 'y']))", "p7 = p7.cat.rename_categories({'x': 'z'})"),
}
TENSORS = {
    "an element of a tensor": ("t1", "import torch\nt1 = {'w': torch.zeros(3)}", "t1['w'][1] = 1"),
    "a storage that is shared": ("t2", "base2 = torch.zeros(3); t2 = base2[1:]", "t2 = t2.clone()"),
    "a gradient": ("t3", "t3 = torch.zeros(2, requires_grad=True); t3.sum().backward()", "t3.grad[0] = 5"),
    "a weight of a module": ("t4", "t4 = torch.nn.Sequential(torch.nn.Linear(2, 2))", "t4[0].weight.data[0, 0] = 5"),
    "a tied weight": ("t5", "t5 = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)); t5[1].weight = t5[0].weight",
                      "t5[1].weight = torch.nn.Parameter(t5[0].weight.detach().clone())"),
    "what an optimizer keeps": ("t6", "w6 = torch.zeros(2, requires_grad=True); t6 = torch.optim.SGD([w6], lr=.1)", "t6.param_groups[0]['lr'] = .2"),
}
FIGURES = {
    "a line": ("f1", "from matplotlib.figure import Figure\nf1 = Figure(); f1.add_subplot().plot([1, 2])", "f1.axes[0].lines[0].set_ydata([3, 4])"),
    "the colour of a bar": ("f2", "f2 = Figure(); f2.add_subplot().bar([1], [2])", "f2.axes[0].patches[0].set_facecolor('red')"),
    "a text": ("f3", "f3 = Figure(); f3.add_subplot().text(0, 0, 'x')", "f3.axes[0].texts[0].set_text('y')"),
    "whose line it is": ("line4", "f4 = Figure(); line4, = f4.add_subplot().plot([1, 2])", "line4 = Figure().add_subplot().plot([1, 2])[0]"),
}


def named(text: str) -> set[str]:
    return set(re.findall(r"NB0905: variable '(\w+)'", text))


@pytest.mark.parametrize("changes,module", [(CHANGES, "numpy"), (FRAMES, "pandas"), (TENSORS, "torch"), (FIGURES, "matplotlib")],
                         ids=["values", "frames", "tensors", "figures"])
def test_what_is_different_is_named(audited: Child, changes: dict[str, tuple[str, str, str]], module: str) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    audited.deadline = 180  # the first cell of each imports a large library, and so does the scratch
    audited.side.settimeout(audited.deadline)
    audited.execute(MISSES)
    wrong = {}
    for what, (name, cell, difference) in changes.items():
        result = audited.execute(f"{cell}\nget_ipython().kernel._audit.missed = {difference!r}")
        assert result.status == "ok", result.evalue
        # The variable itself, and not those beside it; and nothing that was named before.
        if named(result.stderr) != {name}:
            wrong[what] = result.stderr
    assert not wrong


def test_a_variable_that_was_not_sent_is_missed(audited: Child) -> None:
    audited.execute(MISSES)
    result = audited.execute("get_ipython().kernel._audit.missed = 'd = get_ipython().kernel._audit.delta; d.groups.clear(); d.inlines.clear(); del d'; v = [1]")
    assert not named(result.stderr)  # another cell may have it
    again = audited.execute("pass")
    assert named(again.stderr) == {"v"} and "it is missing there" in again.stderr


def test_it_changes_nothing_of_the_session(audited: Child) -> None:
    cells = (
        "import itertools, random, io, sys, gc\nrandom.seed(3); c = itertools.count(); next(c); it = iter([1, 2, 3]); z = zip('ab', it); next(z)",
        "m = map(str, [1, 2, 3]); e = enumerate('ab'); f = open('text.txt', 'w'); f.write('abc'); s = io.StringIO('a\\nb\\n'); next(s)",
        "print(random.random(), next(c), next(z), next(m), next(e), f.tell(), s.tell(), gc.isenabled())",
        "print(random.random(), next(c), list(it), list(m), list(e), s.read()); f.close(); open('text.txt').read()",
        "import numpy as np\nnp.random.seed(1); r = np.random.default_rng(2); fl = np.arange(4).flat; next(fl)",
        "print(np.random.rand(), r.random(), next(fl), random.random())",
        ("class Asked:\n    asked = []\n    def __getattr__(self, name): Asked.asked.append(name); raise AttributeError(name)\n"
        "    def __eq__(self, other): Asked.asked.append('eq'); return True\n    def __hash__(self): return 1\n"
        "    def __repr__(self): Asked.asked.append('repr'); return 'x'\na = Asked(); held = {a}; Asked.asked.clear()"),
        "[it for it in Asked.asked if it in ('eq', 'repr')]",
        ("try:\n    from matplotlib.figure import Figure\nexcept ImportError:\n    Figure = None\nelse:\n"
        "    figure = Figure(); axes = figure.add_subplot(); axes.plot([1, 2]); number = figure.canvas.mpl_connect('draw_event', print)"),
        "print(Figure and (axes._stale_viewlims, figure.canvas.mpl_connect('draw_event', repr) - number))",
    )
    plain = Child("h2").ready()
    try:
        for cell in cells:
            ours, theirs = audited.execute(cell), plain.execute(cell)
            assert (ours.status, ours.text, ours.stderr) == (theirs.status, theirs.text, theirs.stderr), cell
    finally:
        plain.end()


def test_it_takes_only_so_long(audited: Child) -> None:
    result = audited.execute("import nbos_kernel.audit as a\na.WALK_WITHIN = 0.0; large = list(range(100_000)); del a")
    assert result.status == "ok" and "TooSlow" in result.stderr and not named(result.stderr)
    assert audited.execute("large.append(1)").stderr == ""
