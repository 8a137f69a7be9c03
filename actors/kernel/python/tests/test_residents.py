"""Tensors leave their devices between cells and come back, as the objects that they are."""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from fakegpu import Pool, Recorded
from nbos_kernel.homes import HOMES
from nbos_kernel.offload import Failed
from nbos_kernel.residents import Residents


@pytest.fixture
def pool() -> Iterator[Pool]:
    gc.collect()
    yield Pool()
    gc.collect()
    assert not list(HOMES), "a test left memory behind"


def step(model: Any, optimizer: Any, data: Any) -> float:
    optimizer.zero_grad()
    loss = model(data).pow(2).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


def model_and_optimizer() -> tuple[Any, Any]:
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.BatchNorm1d(6), torch.nn.Tanh(), torch.nn.Linear(6, 6))
    model[3].weight = model[0].weight
    return model, torch.optim.AdamW([{"params": model[0].parameters()}, {"params": model[1].parameters(), "lr": 0.01}], lr=0.1)


def test_training_goes_on_as_if_nothing_had_moved(pool: Pool) -> None:
    model, optimizer = model_and_optimizer()
    data = torch.linspace(-1, 1, 24).reshape(4, 6)
    straight = copy.deepcopy((model, optimizer))
    expected = [step(*straight, data) for _ in range(6)]
    del straight
    weight, state = model[0].weight, optimizer.state
    objects = [id(it) for it in (*model.parameters(), *model.buffers())]
    residents, losses = Residents(pool), []
    for _ in range(6):
        losses.append(step(model, optimizer, data))
        pool.put(*model.parameters(), *model.buffers(), *(it for known in state.values() for it in known.values()))
        assert sum(pool.held()) > 6 * 6 * 4 * 3
        gradient = weight.grad
        assert residents.give_back() == [] and pool.held() == [0, 0]
        assert model[3].weight is model[0].weight is weight and weight.grad is gradient and optimizer.param_groups[0]["params"][0] is weight
        residents.bring_back(1)
        assert pool.position(weight.untyped_storage()) == pool.position(gradient.untyped_storage()) == 0
        assert pool.position(state[weight]["exp_avg"].untyped_storage()) == 0
        del gradient
    assert losses == expected and objects == [id(it) for it in (*model.parameters(), *model.buffers())]


def test_what_shares_memory_goes_on_sharing_it(pool: Pool) -> None:
    base = torch.arange(24.0).reshape(4, 6).clone()
    views = [base[1:], base.t(), base[:, ::2], base.detach(), base.view(-1)[3:9], torch.view_as_complex(base.view(4, 3, 2)).conj()]
    only_a_view = torch.zeros(10)[2:5]
    with torch.inference_mode():
        inferred = torch.ones(4)
        part = inferred[1:3]
    hidden = (lambda kept: lambda: kept)(base[2])
    before = [it.clone() for it in views]
    pool.put(base, only_a_view, inferred, position=1)
    residents = Residents(pool)
    for bring in (False, True):
        assert not residents.give_back() if not bring else residents.bring_back(2) is None
        assert all(torch.equal(now, then) for now, then in zip(views, before))
        assert len({it.untyped_storage()._cdata for it in (base, *views[:5], hidden())}) == 1
        assert views[5].is_conj() and views[0]._base is base and only_a_view._base.shape == (10,)
        assert only_a_view._base.untyped_storage()._cdata == only_a_view.untyped_storage()._cdata
        assert inferred.is_inference() and part.untyped_storage()._cdata == inferred.untyped_storage()._cdata
        base[1, 0] += 1
        before[0][0, 0] += 1
        assert views[0][0, 0] == before[0][0, 0] == views[1][0, 1] == views[4][3] and views[5][1, 0].real == before[0][0, 0]
        before = [it.clone() for it in views]
    assert pool.position(part.untyped_storage()) == 1 and pool.held()[0] == 0


def test_a_history_that_holds_memory_is_reported_and_goes_on_working(pool: Pool) -> None:
    weight = torch.ones(1000, requires_grad=True)
    hidden = (weight * 2).exp()  # backward needs the result
    loss = hidden.sum()
    pool.put(weight, hidden, loss)
    saved = hidden.detach()
    del hidden, saved
    residents = Residents(pool)
    (left,) = residents.give_back()
    assert left.position == 0 and left.bytes == 4000 and "backward" in left.why
    residents.bring_back(1)
    loss.backward()
    assert torch.allclose(weight.grad, torch.full((1000,), 2 * torch.e**2))
    del loss, weight.grad
    assert residents.give_back() == []
    HOMES.forget(weight.untyped_storage())


def test_a_full_host_costs_nothing_but_is_reported(pool: Pool) -> None:
    tensor, residents = torch.arange(8.0), Residents(pool)
    part = tensor[4:]
    pool.put(tensor)
    pool.full = "no host memory"
    (left,) = residents.give_back()
    assert left.bytes == 32 and "no host memory" in left.why and part.tolist() == [4, 5, 6, 7]
    pool.full = None
    assert residents.give_back() == [] and part.untyped_storage()._cdata == tensor.untyped_storage()._cdata


def test_tensors_that_cannot_all_be_moved_stay_together(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbos_kernel import residents as module

    tensor = torch.arange(8.0)
    parts = [tensor[1:], tensor[2:]]
    pool.put(tensor)
    put, calls = module._put, []

    def refuse_the_second(tensor: Any, storage: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("a kind of tensor that does not move")
        put(tensor, storage)

    monkeypatch.setattr(module, "_put", refuse_the_second)
    (left,) = Residents(pool).give_back()
    assert "does not move" in left.why and len({it.untyped_storage()._cdata for it in (tensor, *parts)}) == 1
    assert pool.position(parts[1].untyped_storage()) == 0


def test_nothing_moves_while_a_recording_needs_its_addresses(pool: Pool) -> None:
    tensor, recorded = torch.arange(8.0), Recorded()
    pool.put(tensor)
    pointer = tensor.data_ptr()
    (left,) = Residents(pool).give_back()
    assert "fixed addresses" in left.why and tensor.data_ptr() == pointer and pool.held() == [32, 0]
    del recorded
    assert Residents(pool).give_back() == []


def test_a_device_without_room_fails_the_cell(pool: Pool) -> None:
    tensor, residents = torch.arange(4.0), Residents(pool)
    pool.put(tensor, position=1)
    assert residents.give_back() == []
    residents.bring_back(1)
    assert HOMES.of(tensor.untyped_storage()) == 1, "a cell with one GPU cannot use what was on a second"
    pool.full = "out of memory"
    with pytest.raises(Failed, match="NB0910.*GPU 1: out of memory"):
        residents.bring_back(2)
    pool.full = None
    residents.bring_back(2)
    assert pool.position(tensor.untyped_storage()) == 1 and tensor.tolist() == [0, 1, 2, 3]


def test_memory_that_is_gone_is_forgotten(pool: Pool) -> None:
    residents = Residents(pool)
    for _ in range(3):
        tensor = torch.zeros(1000)
        pool.put(tensor)
        assert residents.give_back() == [] and list(HOMES) == [0]
        del tensor
    assert not list(HOMES)
    moves = pool.moves
    residents.bring_back(1)
    assert pool.moves == moves
