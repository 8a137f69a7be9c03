"""GPU memory of whole sessions: given back after each cell, brought to the next one, on this host or another."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replica import DEADLINE, Child, Manifest, Result

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
FAKE = Path(__file__).with_name("fakegpu.py")
INSTALL = f"exec(compile(open({str(FAKE)!r}).read(), {str(FAKE)!r}, 'exec'), made := {{'__name__': 'fakegpu'}}); made['install'](); del made"


@pytest.fixture
def gpus(tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """Two simulated GPUs on each of two hosts."""
    found = {}
    for host, first in (("h1", 0), ("h2", 4)):
        found[host] = [{"index": first + n, "uuid": f"GPU-{host}-{n}", "simulated": str(tmp_path / f"{host}-{n}")} for n in range(2)]
        for device in found[host]:
            Path(device["simulated"]).mkdir()
    return found


@pytest.fixture
def fake_pair(pair: tuple[Child, Child]) -> Iterator[tuple[Child, Child]]:
    for one in pair:
        result = one.execute(INSTALL, silent=True)
        assert result.status == "ok", result.reply
    yield pair


def held(device: dict[str, Any], child: Child) -> int:
    """Bytes that a process has on a simulated device."""
    file = Path(device["simulated"]) / str(child.pid)
    return int(file.read_text()) if file.exists() else 0


def ok(result: Result) -> str:
    assert result.status == "ok", (result.ename, result.evalue)
    return result.text


def released(child: Child, left: int = 0) -> dict[str, Any]:
    """What the last cell with GPUs said when it gave them back."""
    assert child.released and len(child.released[-1]["left"]) == left and child.released[-1]["took_us"] >= 0
    return child.released.pop()


# Simulated devices.


def test_a_buffer_is_on_its_device_only_while_a_cell_runs(pair: tuple[Child, Child], gpus: dict[str, Any]) -> None:
    here, there = pair
    manifest, devices = Manifest(), gpus["h1"]
    made = here.lend(
        "from nbos_kernel import simulated, gpus\nmodel = simulated.Buffer(1, 5000); other = [model, simulated.Buffer(0, 7)]\n"
        "from pathlib import Path; import os\nPath(gpus()[1].simulated, str(os.getpid())).read_text(), model.on_device", devices)
    assert ok(made) == "('5000', True)" and [held(it, here) for it in devices] == [0, 0]
    assert released(here)["msg_id"] == made.reply_to
    manifest.take(made, "h1")
    assert ok(here.execute("model.on_device, model is other[0]")) == "(False, True)" and not here.released
    assert manifest.follow(there) == [] and [held(it, there) for it in gpus["h2"]] == [0, 0]
    assert ok(there.lend("Path(gpus()[1].simulated, str(os.getpid())).read_text(), model is other[0], model.on_device, other[1].nbytes",
                         gpus["h2"])) == "('5000', True, True, 7)"
    assert [held(it, there) for it in gpus["h2"]] == [0, 0] and released(there)
    # One GPU: what was on the second stays where it is.
    assert ok(there.lend("model.on_device, other[1].on_device", gpus["h2"][:1])) == "(False, True)"
    assert ok(there.lend("other.clear(); Path(gpus()[0].simulated, str(os.getpid())).exists()", gpus["h2"][:1])) == "False"


def test_simulated_training_occupies_all_gpus_of_its_cell_and_can_be_interrupted(child: Child, gpus: dict[str, Any]) -> None:
    devices = gpus["h1"]
    ok(child.execute("from nbos_kernel import simulated"))
    start = time.monotonic()
    ok(child.lend("simulated.train(0.3, 1 << 33)", devices))
    assert time.monotonic() - start >= 0.3 and [held(it, child) for it in devices] == [0, 0]

    def both_are_occupied() -> None:
        end = time.monotonic() + DEADLINE
        while [held(it, child) for it in devices] != [99, 99]:
            assert time.monotonic() < end, "the devices were not occupied"
            time.sleep(0.005)

    cut = child.lend("simulated.train(60, 99)", devices, interrupt_when=both_are_occupied)
    assert cut.ename == "KeyboardInterrupt" and [held(it, child) for it in devices] == [0, 0] and released(child)


def test_a_cell_that_fails_gives_back_too_and_one_without_gpus_has_none_to_use(child: Child, gpus: dict[str, Any]) -> None:
    failed = child.lend("from nbos_kernel import simulated\nmodel = simulated.Buffer(0, 10); 1 / 0", gpus["h1"])
    assert failed.ename == "ZeroDivisionError" and held(gpus["h1"][0], child) == 0 and released(child)
    assert "NB0912" in child.execute("simulated.Buffer(0, 1)").evalue and "NB0912" in child.lend("simulated.Buffer(2, 1)", gpus["h1"]).evalue
    real = [{"index": 0, "uuid": "GPU-real"}]
    assert "NB0912" in child.lend("simulated.Buffer(0, 1)", real).evalue


def test_a_device_that_cannot_be_told_is_reported(child: Child, gpus: dict[str, Any]) -> None:
    device = gpus["h1"][0]
    child.lend("from nbos_kernel import simulated\nmodel = simulated.Buffer(0, 10)\nimport shutil; from nbos_kernel import gpus\n"
               "shutil.rmtree(gpus()[0].simulated); open(gpus()[0].simulated, 'w').close()", [device])
    assert "cannot be told" in released(child, left=1)["left"][0]["why"]


# Tensors, on devices that are a pool of host memory.

TRAINING = """
import torch
from nbos_kernel import cuda
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 8)); model[2].weight = model[0].weight
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
big = torch.zeros(300_000); half = big[150_000:]; table = {'rows': [big[:10]]}
def make(kept): return lambda: kept
weight_of = make(model[0].weight)
def train():
    optimizer.zero_grad(); loss = model(torch.ones(4, 8)).pow(2).sum(); loss.backward(); optimizer.step()
    half.add_(1); cuda.fake.put()
    return round(loss.item(), 4)
"""
CHECK = """
(model[2].weight is model[0].weight is weight_of() is optimizer.param_groups[0]['params'][0], weight_of() in optimizer.state,
 half._base is big, table['rows'][0]._base is big, big.untyped_storage()._cdata == half.untyped_storage()._cdata == table['rows'][0].untyped_storage()._cdata)
"""
WHERE = "cuda.fake.position(big.untyped_storage()), cuda.fake.position(weight_of().untyped_storage()), sum(cuda.fake.held()) > 0"


@needs_torch
def test_a_training_moves_between_hosts_cell_by_cell(fake_pair: tuple[Child, Child], gpus: dict[str, Any]) -> None:
    manifest, losses = Manifest(), []
    first = fake_pair[0].lend(TRAINING + "cuda.fake.put()", gpus["h1"])
    assert ok(first) == ""
    manifest.take(first, "h1")
    for turn in range(4):
        here = fake_pair[turn % 2]
        assert manifest.follow(here) == []
        result = here.lend("print(train(), all(" + CHECK.strip() + "), " + WHERE + ")", gpus[here.host])
        loss, *rest = ok(result).split()
        losses.append(float(loss))
        assert rest == ["True", "0", "0", "True"], result.text
        assert released(here)["took_us"] < 1e6
        manifest.take(result, here.host)
        assert ok(here.execute(WHERE)) == "(None, None, False)"
    last = Child("h3").ready()
    try:
        ok(last.execute(INSTALL, silent=True))
        assert manifest.restore(last) == []
        assert ok(last.execute(CHECK)) == "(True, True, True, True, True)"
        assert ok(last.execute("half[0].item(), big[0].item(), optimizer.state[weight_of()]['step'].item()")) == "(4.0, 0.0, 4.0)"
        assert ok(last.lend(WHERE, gpus["h2"])) == "(0, 0, True)"
        straight = last.execute(TRAINING.replace("from nbos_kernel import cuda", "") + "[train() for _ in range(4)]")
        assert straight.text == str(losses)
    finally:
        last.end()


@needs_torch
def test_a_cell_that_finds_no_room_on_its_gpu_does_not_run(fake_pair: tuple[Child, Child], gpus: dict[str, Any]) -> None:
    child = fake_pair[0]
    ok(child.lend("import torch\nfrom nbos_kernel import cuda\nkept = torch.zeros(1000); ran = []; cuda.fake.put(kept)", gpus["h1"]))
    ok(child.execute("cuda.fake.full = 'out of memory'"))
    refused = child.lend("ran.append(1)", gpus["h1"])
    assert refused.ename == "Failed" and refused.evalue.startswith("NB0910") and ok(child.execute("ran")) == "[]"
    ok(child.execute("cuda.fake.full = None"))
    assert ok(child.lend("cuda.fake.position(kept.untyped_storage())", gpus["h1"])) == "0"


@needs_torch
def test_what_a_history_holds_is_reported_with_the_device_it_is_on(fake_pair: tuple[Child, Child], gpus: dict[str, Any]) -> None:
    child = fake_pair[0]
    ok(child.lend("import torch\nfrom nbos_kernel import cuda\nw = torch.ones(1000, requires_grad=True)\ndef f():\n    h = w.exp(); cuda.fake.put(h)\n"
                  "    return h.sum()\nloss = f()", gpus["h1"][1:]))
    (left,) = released(child, left=1)["left"]
    assert left["index"] == 1 and left["bytes"] == 4000 and "backward" in left["why"]
    ok(child.lend("del loss", gpus["h1"][1:]))  # pinned to this process, which lets go of it when it has looked at what the cell did
    ok(child.lend("", gpus["h1"][1:]))
    assert released(child)["took_us"] < 1e6


@needs_torch
def test_which_cells_with_tensors_need_a_gpu(fake_pair: tuple[Child, Child], gpus: dict[str, Any]) -> None:
    child = fake_pair[0]
    ok(child.lend("import torch\nfrom nbos_kernel import cuda\nmine = torch.zeros(3); host = torch.ones(3); losses = [0.5, host.mean()]; cuda.fake.put(mine)\n"
                  "layer = torch.nn.Linear(2, 2)\nclass Net(torch.nn.Module): pass\ndef go(): return layer(host)", gpus["h1"]))

    def why(code: str) -> str | None:
        child.send({"t": "touches", "id": 3, "code": code, "of": []})
        return child.frame()[0]["gpu"]["why"]

    for code in ("losses", "host.mean().item(), host.shape", "[float(it) for it in losses]", "host + 1", "len(losses)"):
        assert why(code) is None, code
    for code, because in (("mine", "tensor of a GPU"), ("host.to(x)", ".to may move it"), ("host.cuda()", "cuda"), ("go()", "torch.nn"), ("torch.ones(1)", "torch"),
                          ("layer", "torch.nn"), ("Net()", "torch.nn"), ("losses[1].backward()", "backward")):
        assert because in (why(code) or "nothing"), code
