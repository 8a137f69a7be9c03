"""Which cells provably touch no GPU. Each question is asked of a kernel with a session, before the code would run."""

from __future__ import annotations

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
