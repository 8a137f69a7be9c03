# Hidden state around torch models: ties, hooks, wrapped methods, generators, classes made at run time.
# %% case: ep_tied_weights_and_adam
import torch
from torch import nn

torch.manual_seed(0)
ep1_emb = nn.Embedding(6, 4)
ep1_out = nn.Linear(4, 6, bias=False)
ep1_out.weight = ep1_emb.weight
ep1_opt = torch.optim.Adam([ep1_emb.weight], lr=0.1)

def ep1_step():
    ep1_opt.zero_grad()
    ep1_out(ep1_emb(torch.tensor([1, 2]))).pow(2).sum().backward()
    ep1_opt.step()
# %%
ep1_step()
# %%
ep1_step()
# %% check
assert ep1_out.weight is ep1_emb.weight
assert ep1_opt.param_groups[0]["params"][0] is ep1_emb.weight
ep1_before = ep1_out.weight.detach().clone()
ep1_step()
assert float(ep1_opt.state[ep1_out.weight]["step"]) == 3
assert not torch.equal(ep1_before, ep1_out.weight)

# %% case: ep_scheduler_between_the_two_steps
import torch, warnings

ep2_table = {0: 1.0, 1: 0.5}
ep2_w = torch.nn.Parameter(torch.ones(2))
ep2_opt = torch.optim.SGD([ep2_w], lr=2.0)
ep2_sched = torch.optim.lr_scheduler.LambdaLR(ep2_opt, lambda epoch: ep2_table[epoch])
# %%
ep2_w.sum().backward()
ep2_opt.step()
# %%
ep2_table[1] = 0.25
# %% check
assert ep2_sched.optimizer is ep2_opt
with warnings.catch_warnings():
    warnings.simplefilter("error")
    ep2_sched.step()
assert ep2_opt.param_groups[0]["lr"] == 0.5 and ep2_sched.get_last_lr() == [0.5]
ep2_opt.step()
assert ep2_w.tolist() == [-1.5, -1.5]

# %% case: ep_hooks_and_their_handles
import torch
from torch import nn

ep3_net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
ep3_shapes = []
ep3_handle = ep3_net[0].register_forward_hook(lambda mod, args, out: ep3_shapes.append(tuple(out.shape)))
ep3_w = torch.ones(3, requires_grad=True)
ep3_scale = {"by": 10.0}
ep3_grad_handle = ep3_w.register_hook(lambda g: g * ep3_scale["by"])
# %%
ep3_out = ep3_net(torch.ones(2, 3)).detach()
# %%
ep3_scale["by"] = 3.0
# %% check
ep3_net(torch.ones(5, 3))
assert ep3_shapes == [(2, 3), (5, 3)]
ep3_handle.remove()
ep3_net(torch.ones(7, 3))
assert len(ep3_shapes) == 2
ep3_w.sum().backward()
assert ep3_w.grad.tolist() == [3.0, 3.0, 3.0]
ep3_grad_handle.remove()
ep3_w.sum().backward()
assert ep3_w.grad.tolist() == [4.0, 4.0, 4.0]

# %% case: ep_loader_and_shuffle_share_a_generator
import torch
from torch.utils.data import DataLoader, TensorDataset

ep4_gen = torch.Generator().manual_seed(3)
ep4_x = torch.arange(8.0)
ep4_loader = DataLoader(TensorDataset(ep4_x), batch_size=3, shuffle=True, generator=ep4_gen)
# %%
ep4_first = [b.tolist() for (b,) in ep4_loader]
# %%
ep4_perm = torch.randperm(5, generator=ep4_gen).tolist()
# %% check
ep4_rgen = torch.Generator().manual_seed(3)
ep4_ref = DataLoader(TensorDataset(torch.arange(8.0)), batch_size=3, shuffle=True, generator=ep4_rgen)
assert ep4_first == [b.tolist() for (b,) in ep4_ref]
assert ep4_perm == torch.randperm(5, generator=ep4_rgen).tolist()
assert [b.tolist() for (b,) in ep4_loader] == [b.tolist() for (b,) in ep4_ref]
assert torch.equal(ep4_gen.get_state(), ep4_rgen.get_state())
assert ep4_loader.dataset.tensors[0] is ep4_x

# %% case: ep_defaults_of_torch [alone]
import torch

torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=2, sci_mode=False)
torch.use_deterministic_algorithms(True, warn_only=True)
torch.manual_seed(21)
# %%
ep5_first = torch.rand(2)
torch.set_grad_enabled(False);
# %% check
assert torch.zeros(1).dtype is torch.float64 and ep5_first.dtype is torch.float64
assert repr(torch.tensor([1.23456])) == "tensor([1.23])"
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
assert not torch.is_grad_enabled()
ep5_ref = torch.Generator().manual_seed(21)
torch.rand(2, generator=ep5_ref)
assert torch.equal(torch.rand(3), torch.rand(3, generator=ep5_ref))

# %% case: ep_one_storage_numpy_and_torch
import numpy as np, torch

ep6_arr = np.zeros((2, 3))
ep6_t = torch.from_numpy(ep6_arr)
ep6_col = ep6_t[:, 1]
ep6_flat = ep6_t.view(-1)
ep6_p = torch.nn.Parameter(torch.zeros(4))
ep6_half = ep6_p.data[:2]
# %%
ep6_col.add_(5)
ep6_half.fill_(1)
# %% check
assert ep6_arr[:, 1].tolist() == [5.0, 5.0]
ep6_arr[0, 0] = 9
assert ep6_t[0, 0] == 9 and ep6_flat[0] == 9
ep6_half[0] = 8
assert ep6_p.tolist() == [8.0, 1.0, 0.0, 0.0]

# %% case: ep_weight_norm_class_made_at_run_time
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

ep7_lin = weight_norm(nn.Linear(3, 2))
ep7_net = nn.Sequential(ep7_lin, nn.Tanh())
# %%
ep7_lin.parametrizations.weight.original0.data.fill_(2.0);
# %% check
assert parametrize.is_parametrized(ep7_lin, "weight") and ep7_net[0] is ep7_lin
assert torch.allclose(ep7_lin.weight.norm(dim=1), torch.tensor([2.0, 2.0], dtype=ep7_lin.weight.dtype))
assert tuple(ep7_net(torch.ones(4, 3)).shape) == (4, 2)
parametrize.remove_parametrizations(ep7_lin, "weight")
assert type(ep7_lin) is nn.Linear and torch.allclose(ep7_lin.weight.norm(dim=1), torch.tensor([2.0, 2.0]))

# %% case: ep_lazy_model_not_yet_shaped
import torch
from torch import nn

ep8_net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
# %%
ep8_first = ep8_net[0].weight
# %% check
assert isinstance(ep8_first, nn.parameter.UninitializedParameter)
assert tuple(ep8_net(torch.ones(3, 5)).shape) == (3, 2)
assert ep8_net[0].weight is ep8_first and tuple(ep8_first.shape) == (4, 5)
assert type(ep8_net[0]) is nn.Linear and not ep8_net[0]._forward_pre_hooks

# %% case: ep_gradients_gathered_half_way
import torch
from torch import nn

ep9_net = nn.Linear(2, 1, bias=False)
nn.init.ones_(ep9_net.weight)
ep9_net.register_buffer("ep9_seen", torch.zeros(()), persistent=False)
ep9_seen = ep9_net.ep9_seen
ep9_net(torch.tensor([[1.0, 2.0]])).sum().backward()
ep9_grad = ep9_net.weight.grad
# %%
ep9_net.ep9_seen += 1
ep9_net(torch.tensor([[10.0, 20.0]])).sum().backward()
# %% check
assert ep9_grad is ep9_net.weight.grad and ep9_grad.tolist() == [[11.0, 22.0]]
ep9_net(torch.tensor([[100.0, 200.0]])).sum().backward()
assert ep9_grad.tolist() == [[111.0, 222.0]]
assert ep9_net.ep9_seen is ep9_seen and float(ep9_seen) == 1 and "ep9_seen" not in ep9_net.state_dict()
