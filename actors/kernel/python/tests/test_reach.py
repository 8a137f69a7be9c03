"""Which cells provably touch no GPU. Each question is asked of a kernel with a session, before the code would run."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from replica import Child

SESSION = """
import os, sys, math, json, random, time, functools, collections, dataclasses
import numpy as np, pandas as pd
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
history = [0.5, 0.25]
config = {'lr': 0.1, 'layers': [1, 2, {'name': 'x'}]}
records = [{'id': i, 'tags': ['a', str(i)]} for i in range(200)]
frame = pd.DataFrame({'a': range(100), 'b': [str(i) for i in range(100)]})
array = np.arange(1000.0)
model = LinearRegression().fit(array.reshape(-1, 1), array)
pipe = make_pipeline(LinearRegression())
Point = collections.namedtuple('Point', 'x y')
@dataclasses.dataclass
class Run:
    name: str
    scores: list
    def best(self): return max(self.scores)
run = Run('first', [1, 2])
def mean_of(values): return sum(values) / len(values)
def outer(k):
    def inner(x): return mean_of([x, k]) + np.sin(x)
    return inner
closure = outer(2)
@functools.lru_cache(None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
figure, axes = plt.subplots()
"""

NONE = [
    "", "x = 1", "print('hello', history[-1])", "history.append(mean_of(history))", "closure(3.0)", "fib(12)",
    "frame.groupby('b').a.mean().head()", "frame['c'] = frame.a * 2\nframe.describe()", "frame",
    "array[::2] *= 2; array.sum(), np.linalg.norm(array)", "model.predict(array.reshape(-1, 1))[:3]", "pipe.fit(array.reshape(-1, 1), array)",
    "run.best(), run, Run('second', []), Point(1, 2)", "[record['tags'] for record in records if record['id'] % 2]",
    "plt.plot(array)\nplt.show()", "axes.hist(array, bins=20); axes.set_title('x'); figure", "import statistics; statistics.mean(history)",
    "import scipy.stats as stats\nstats.norm.cdf(0.5)", "from IPython.display import display, HTML\ndisplay(frame, HTML('<b>x</b>'))",
    "%matplotlib inline\nx = 2", "%time mean_of(history)", "%%timeit -n 10\nmean_of(history)", "%who", "json.dumps(config)",
    "def later(n):\n    return [math.sqrt(k) for k in range(n)]\nlater(3)", "class Later:\n    def __init__(self): self.x = 1\nLater().x",
    "with open('f.txt', 'w') as f:\n    f.write('x')", "random.seed(1); np.random.seed(1); rng = np.random.default_rng(2); rng.normal(size=3)",
    "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print(e)", "import asyncio\nawait asyncio.sleep(0)", "del run", "time.sleep(0.1)",
    "for i in range(3): print(f'{i}: {history}')", "os.path.join('a', 'b'), os.listdir('.')", "sorted(records, key=lambda r: -r['id'])[:2]",
]
MAYBE = [
    ("import torch", "torch"), ("import jax.numpy as jnp", "jax"), ("import cupy", "cupy"), ("import tensorflow as tf", "tensorflow"),
    ("from numba import cuda", "numba"), ("import unheard_of_library", "unheard_of_library"), ("exec('x = 1')", "exec"), ("eval('1 + 1')", "eval"),
    ("!nvidia-smi", "command"), ("%run other.py", "%run"), ("files = !ls", "command"), ("getattr(os, 'envi' + 'ron')", "getattr"),
    ("os.environ['CUDA_VISIBLE_DEVICES'] = '0'", "environ"), ("os.getenv('NBOS_GPUS')", "getenv"), ("import importlib\nimportlib.import_module('torch')", "import"),
    ("import nbos_kernel\nnbos_kernel.gpus()", "nbos_kernel"), ("import subprocess; subprocess.run(['ls'])", "subprocess"), ("os.system('ls')", "system"),
    ("import ctypes", "ctypes"), ("import pickle; pickle.loads(b'')", "pickle"), ("sys.modules['torch']", "modules"),
    ("object.__subclasses__()", "__subclasses__"), ("def f(:", "read"), ("%%some_magic\nx", "some_magic"), ("frame.query('a > @mean_of(1)')", "query"),
    ("np.load('x.npy', allow_pickle=True)", "load"), ("print.__self__", "__self__"), ("globals()['model']", "globals"), ("mean_of.__globals__", "__globals__"),
    ("def late():\n    import torch\n    return torch.zeros(1).cuda()", "torch"), ("get_ipython().run_cell('1')", "IPython"),
]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Child]:
    made = Child().ready()
    result = made.execute(SESSION)
    assert result.status == "ok", result.text
    yield made
    made.end()


def gpu(child: Child, code: str) -> str | None:
    """Why it may touch a GPU, or None."""
    child.send({"t": "touches", "id": 3, "code": code, "of": []})
    answer, _ = child.frame()
    assert answer["t"] == "touched" and answer["id"] == 3 and answer["gpu"]["may"] == (answer["gpu"]["why"] is not None)
    return answer["gpu"]["why"]


@pytest.mark.parametrize("code", NONE)
def test_touches_none(kernel: Child, code: str) -> None:
    assert gpu(kernel, code) is None


@pytest.mark.parametrize("code,because", MAYBE)
def test_may_touch_one(kernel: Child, code: str, because: str) -> None:
    assert because in (gpu(kernel, code) or "nothing")


# Each hides something that imports a library with a GPU, behind the last line.
HIDDEN = {
    "a wrapper in numpy": ("np.hidden_mean = late", "np.hidden_mean(array)"),
    "a method of a library's class": ("pd.DataFrame.to_device = late", "frame.to_device()"),
    "a registered accessor": ("@pd.api.extensions.register_dataframe_accessor('far')\nclass Far:\n    def __init__(self, df): late()", "frame.far"),
    "a weak reference": ("class Holder: pass\nholder = Holder(); holder.call = late\nimport weakref; weak = weakref.ref(holder)", "weak().call()"),
    "a weak proxy": ("proxy = weakref.proxy(holder)", "proxy.call()"),
    "a weak table": ("table = weakref.WeakValueDictionary(x=holder)", "table['x'].call()"),
    "a cell of a frame": ("cells = pd.DataFrame({'f': [late, late]})", "cells['f'][0]()"),
    "an array of objects": ("objects = np.array([late, None], dtype=object)", "objects[0]()"),
    "a structured array": ("rows = np.zeros(2, dtype=[('f', object)]); rows['f'][0] = late", "rows['f'][0]()"),
    "a partial": ("part = functools.partial(late)", "part()"),
    "a cache": ("cached = functools.lru_cache(None)(late)", "cached()"),
    "a vectorized function": ("vector = np.vectorize(late); lifted = np.frompyfunc(late, 0, 1)", "vector(1)"),
    "a lifted function": ("", "lifted()"),
    "a generator": ("running = (late() for _ in range(3))", "next(running)"),
    "a metaclass": ("class Meta(type):\n    def __call__(cls): return late()\nclass Made(metaclass=Meta): pass", "Made()"),
    "an operator": ("class Op:\n    def __matmul__(self, other): return late()\nop = Op()", "op @ op"),
    "a base class": ("class Base:\n    def __repr__(self): late()\nclass Derived(Base): pass\nderived = Derived()", "derived"),
    "a keyword": ("def with_default(f=late): return f()", "with_default()"),
    "a name that is an attribute too": ("class Box: late = staticmethod(late)", "Box.late()"),
    "a formatter of IPython": ("get_ipython().display_formatter.formatters['text/plain'].for_type(Point, lambda it, p, c: late())", "1"),
    "a callback of IPython": ("get_ipython().events.register('pre_run_cell', lambda *_: late())", "x = 1"),
}


@pytest.fixture(scope="module")
def hiding() -> Iterator[Child]:
    made = Child().ready()
    for code in (SESSION, "def late(*_):\n    import cupy\n    return cupy.zeros(1)", *(code for code, _ in HIDDEN.values())):
        if "get_ipython" in code:
            break
        assert made.execute(code).status == "ok", code
    yield made
    made.end()


@pytest.mark.parametrize("what", HIDDEN)
def test_nothing_hides_a_gpu(hiding: Child, what: str) -> None:
    code, use = HIDDEN[what]
    if "get_ipython" in code:
        assert hiding.execute(code).status == "ok"
    assert gpu(hiding, use) is not None


def test_a_module_beside_the_notebook_is_not_the_library_of_that_name(child: Child) -> None:
    child.execute("open('tabulate.py', 'w').write('import cupy'); open('helper.py', 'w').write('import math\\ndef f(): return math.pi\\ndef g(): import cupy')")
    assert "tabulate" in (gpu(child, "import tabulate") or "") and "helper" in (gpu(child, "import helper") or "")
    child.execute("import helper")
    assert gpu(child, "helper.f()") is None and "cupy" in (gpu(child, "helper.g()") or "")


def test_a_large_session_is_answered_for_in_time(child: Child) -> None:
    child.execute("class Node: pass\nnodes = [Node() for _ in range(300_000)]\n"
                  "for node in nodes: node.next = [node]")
    start = time.monotonic()
    assert "more than can be looked through" in (gpu(child, "len(nodes)") or "")
    assert time.monotonic() - start < 2, "the replica does not wait for longer"
