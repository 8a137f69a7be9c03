# torch on CPU as notebooks use it: training over several cells, shared storage, hooks, buffers, random streams, settings.
# %% case: th_training_over_cells
import torch, torch.nn as nn, copy
tr_g = torch.Generator().manual_seed(4)
def tr_make():
    torch.manual_seed(11)
    m = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    o = torch.optim.AdamW(m.parameters(), lr=.05)
    s = torch.optim.lr_scheduler.OneCycleLR(o, max_lr=.1, total_steps=20)
    return m, o, s
tr_X = torch.randn(32, 4, generator=tr_g); tr_y = tr_X.sum(1, keepdim=True)
def tr_step(m, o, s):
    o.zero_grad()
    l = nn.functional.mse_loss(m(tr_X), tr_y)
    l.backward(); o.step(); s.step()
    return l.item()
tr_m, tr_o, tr_s = tr_make()
tr_ema = torch.optim.swa_utils.AveragedModel(tr_m, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(.9))
# %%
tr_hist = [tr_step(tr_m, tr_o, tr_s) for _ in range(5)]
tr_ema.update_parameters(tr_m)
tr_sd = tr_m.state_dict()
# %%
tr_hist += [tr_step(tr_m, tr_o, tr_s) for _ in range(5)]
tr_ema.update_parameters(tr_m)
tr_w = tr_m[0].weight
# %% check
tr_rm, tr_ro, tr_rs = tr_make()
tr_ref = [tr_step(tr_rm, tr_ro, tr_rs) for _ in range(10)]
assert tr_hist == tr_ref
assert tr_o.param_groups[0]['params'][0] is tr_m[0].weight is tr_w
assert tr_s.optimizer is tr_o and tr_s.get_last_lr() == tr_rs.get_last_lr()
assert tr_sd['0.weight'].data_ptr() == tr_w.data_ptr()
assert tr_step(tr_m, tr_o, tr_s) == tr_step(tr_rm, tr_ro, tr_rs)
assert torch.equal(tr_sd['2.bias'], tr_m[2].bias) and torch.equal(tr_w, tr_rm[0].weight)
assert tr_ema.n_averaged == 2 and tr_ema.module[0].weight is not tr_w
tr_ema.update_parameters(tr_m)
assert tr_ema.n_averaged == 3
assert tr_o.state[tr_w]['step'] == 11

# %% case: th_storage_shared_with_numpy
import torch, numpy as np
st_np = np.arange(6, dtype=np.float32)
st_t = torch.from_numpy(st_np)
st_v = st_t.view(2, 3); st_c = st_v.t(); st_s = st_t[1::2]
st_back = st_v.numpy()
st_u = st_t.untyped_storage()
st_big = torch.zeros(8); st_set = torch.as_strided(st_big, (3, 3), (2, 1))
# %%
st_np[0] = 100
st_c[2, 1] = -5
# %%
st_back[0, 1] = 7
st_big[2] = 3
st_i = st_t.view(torch.int32)
# %% check
assert st_t.tolist() == [100, 7, 2, 3, 4, -5] and st_s.tolist() == [7, 3, -5]
st_np[3] = 33
assert st_v[1, 0] == 33 and st_c[0, 1] == 33 and st_s[1] == 33 and st_back[1, 0] == 33
st_i.zero_()
assert st_np.sum() == 0 and st_u.data_ptr() == st_t.data_ptr()
assert st_v._base is st_t and st_c.stride() == (1, 3)
assert st_set[1, 0] == 3 and st_set[0, 2] == 3
st_set[2, 2] = 9
assert st_big[6] == 9
assert np.shares_memory(st_back, st_np)

# %% case: th_weight_tying_and_hooks
import torch, torch.nn as nn
from functools import partial
hk_acts = {}
class HkLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(5, 3)
        self.out = nn.Linear(3, 5, bias=False)
        self.out.weight = self.emb.weight
        self.register_buffer('mask', torch.ones(5), persistent=False)
        self.register_buffer('seen', torch.zeros((), dtype=torch.long))
        self.cfg = {'name': 'tiny'}
    def forward(self, x):
        self.seen += 1
        return self.out(self.emb(x)) * self.mask
hk_m = HkLM()
def hk_save(name, mod, inp, out): hk_acts[name] = out.detach().clone()
hk_h = hk_m.emb.register_forward_hook(partial(hk_save, 'emb'))
hk_grads = []
hk_gh = hk_m.emb.weight.register_hook(lambda g: hk_grads.append(g.norm().item()))
# %%
hk_m(torch.tensor([1, 2])).sum().backward()
hk_alias = hk_m.mask
# %%
hk_pre = hk_m.register_forward_pre_hook(lambda mod, args: (args[0] % 2,))
hk_m.eval(); hk_m.out.requires_grad_(True)
hk_alias[0] = 0
# %% check
assert hk_m.out.weight is hk_m.emb.weight and len(list(hk_m.parameters())) == 1
assert hk_m.mask is hk_alias and 'mask' not in hk_m.state_dict() and hk_m.seen == 1
assert not hk_m.training and not hk_m.emb.training
hk_o = hk_m(torch.tensor([3, 4]))
assert hk_o.shape == (2, 5) and torch.equal(hk_o[:, 0], torch.zeros(2))
assert torch.equal(hk_acts['emb'][0], hk_m.emb.weight[1]) and hk_m.seen == 2
hk_o.sum().backward()
assert len(hk_grads) == 2
hk_h.remove(); hk_pre.remove(); hk_gh.remove(); hk_acts.clear()
hk_m(torch.tensor([3])).sum().backward()
assert hk_acts == {} and len(hk_grads) == 2
assert len(hk_m._forward_pre_hooks) == 0 and len(hk_m.emb._forward_hooks) == 0

# %% case: th_grads_and_graph_across_cells [pinned]
import torch
gg_x = torch.tensor([1., 2., 3.], requires_grad=True)
gg_y = gg_x ** 2
gg_y.retain_grad()
gg_z = gg_y.sum()
gg_acc = torch.tensor(2., requires_grad=True)
# %%
(gg_acc ** 2).backward()
gg_leaf = gg_x.detach()
# %%
(gg_acc * 3).backward()
gg_grad = gg_acc.grad
# %% check
assert gg_z.requires_grad and gg_z.grad_fn is not None and not gg_x.grad_fn
gg_z.backward()
assert gg_x.grad.tolist() == [2., 4., 6.] and gg_y.grad.tolist() == [1., 1., 1.]
assert gg_acc.grad is gg_grad and gg_grad.item() == 7.
assert gg_leaf.data_ptr() == gg_x.data_ptr() and not gg_leaf.requires_grad
gg_acc.grad.zero_()
assert gg_grad.item() == 0.
try:
    gg_z.backward()
    raise AssertionError('the graph was freed')
except RuntimeError:
    pass

# %% case: th_dataloader_and_streams [alone]
import torch
from torch.utils.data import Dataset, DataLoader, random_split, WeightedRandomSampler
torch.manual_seed(21)
class DlSquares(Dataset):
    def __init__(self, n): self.n, self.reads = n, 0
    def __len__(self): return self.n
    def __getitem__(self, i):
        self.reads += 1
        return i, i * i
dl_ds = DlSquares(10)
dl_gen = torch.Generator().manual_seed(5)
dl = DataLoader(dl_ds, batch_size=4, shuffle=True, generator=dl_gen, collate_fn=lambda b: [x[1] for x in b])
dl_r0 = torch.rand(2)
# %%
dl_e1 = [x for b in dl for x in b]
dl_tr, dl_te = random_split(dl_ds, [7, 3], generator=dl_gen)
dl_r1 = torch.randn(3)
# %%
dl_e2 = [x for b in dl for x in b]
dl_state = torch.get_rng_state()
dl_bern = torch.bernoulli(torch.full((4,), .5))
# %% check
dl_gr = torch.Generator().manual_seed(5)
dl_ref = DataLoader(DlSquares(10), batch_size=4, shuffle=True, generator=dl_gr, collate_fn=lambda b: [x[1] for x in b])
assert dl_e1 == [x for b in dl_ref for x in b]
assert random_split(range(10), [7, 3], generator=dl_gr)[0].indices == dl_tr.indices
assert dl_e2 == [x for b in dl_ref for x in b]
assert [x for b in dl for x in b] == [x for b in dl_ref for x in b]
assert dl.generator is dl_gen and dl.dataset is dl_ds and dl_tr.dataset is dl_ds and dl_ds.reads == 30
assert torch.equal(torch.randint(99, (3,), generator=dl_gen), torch.randint(99, (3,), generator=dl_gr))
dl_n = torch.rand(1)
torch.manual_seed(21)
assert torch.equal(torch.rand(2), dl_r0) and torch.equal(torch.randn(3), dl_r1)
assert torch.equal(torch.get_rng_state(), dl_state)
assert torch.equal(torch.bernoulli(torch.full((4,), .5)), dl_bern) and torch.equal(torch.rand(1), dl_n)

# %% case: th_ambient_switches [alone]
import torch
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.set_printoptions(precision=2, sci_mode=False)
torch.use_deterministic_algorithms(True, warn_only=True)
amb_dev = torch.device('meta')
# %%
amb_x = torch.ones(2, requires_grad=True)
amb_y = amb_x * 2
# %%
torch.set_default_device('meta')
amb_meta = torch.empty(3)
# %% check
assert amb_meta.device.type == 'meta' and torch.empty(2).device == amb_dev and torch.get_default_device() == amb_dev
torch.set_default_device('cpu')
assert torch.get_default_dtype() is torch.float64 and torch.ones(1).dtype is torch.float64
assert not torch.is_grad_enabled() and not amb_y.requires_grad
assert not (amb_x * 3).requires_grad
assert repr(torch.tensor([1.23456])) == 'tensor([1.23])'
assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
torch.set_grad_enabled(True)
assert (amb_x * 3).requires_grad

# %% case: th_own_function_and_redefined_module
import torch, torch.nn as nn
class OfClip(torch.autograd.Function):
    calls = 0
    @staticmethod
    def forward(ctx, x, k):
        OfClip.calls += 1
        ctx.save_for_backward(x); ctx.k = k
        return x.clamp(-k, k)
    @staticmethod
    def backward(ctx, g):
        x, = ctx.saved_tensors
        return g * (x.abs() <= ctx.k) * 10, None
class OfNet(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.k = k
        self.w = nn.Parameter(torch.tensor([.5, 2.]))
    def forward(self): return OfClip.apply(self.w, self.k)
of_old = OfNet(1.)
of_apply = OfClip.apply
# %%
of_old().sum().backward()
of_g1 = of_old.w.grad.clone()
# %%
class OfNet(nn.Module):
    def __init__(self, other):
        super().__init__()
        self.inner = other
    def forward(self): return self.inner() + 1
of_new = OfNet(of_old)
# %% check
assert of_g1.tolist() == [10., 0.] and OfClip.calls == 1
assert type(of_new) is OfNet and type(of_old) is not OfNet and type(of_old).__name__ == 'OfNet'
assert of_new.inner is of_old and list(of_new.state_dict()) == ['inner.w']
of_new().sum().backward()
assert of_old.w.grad.tolist() == [20., 0.] and OfClip.calls == 2
of_t = torch.tensor([3.], requires_grad=True)
of_apply(of_t, 5.).backward()
assert of_t.grad.item() == 10. and OfClip.calls == 3
assert type(of_old)(2.)().tolist() == [.5, 2.]

# %% case: th_checkpoint_and_deepcopy
import torch, torch.nn as nn, io, copy
from collections import OrderedDict
ck_m = nn.LSTM(2, 3, num_layers=2); ck_o = torch.optim.SGD(ck_m.parameters(), lr=.1, momentum=.9)
ck_target = copy.deepcopy(ck_m)
ck_buf = io.BytesIO()
# %%
ck_m(torch.ones(4, 1, 2))[0].sum().backward()
ck_o.step()
torch.save({'m': ck_m.state_dict(), 'o': ck_o.state_dict(), 'e': 1}, ck_buf)
ck_buf.seek(0)
ck_best = copy.deepcopy(ck_m.state_dict())
# %%
ck_o.step()
ck_load = torch.load(ck_buf)
ck_best_alias = {'best': ck_best}
ck_flat = [p for p in ck_m.parameters()]
# %% check
assert ck_load['e'] == 1 and torch.equal(ck_load['m']['weight_ih_l0'], ck_best['weight_ih_l0'])
assert not torch.equal(ck_m.weight_ih_l0, ck_best['weight_ih_l0'])
assert ck_best_alias['best'] is ck_best and isinstance(ck_best, OrderedDict)
assert ck_flat[0] is ck_m.weight_ih_l0 and ck_o.param_groups[0]['params'][0] is ck_flat[0]
ck_m.load_state_dict(ck_best)
assert torch.equal(ck_flat[0], ck_best['weight_ih_l0']) and ck_m.weight_ih_l0 is ck_flat[0]
ck_o.load_state_dict(ck_load['o'])
assert ck_o.state[ck_flat[0]]['momentum_buffer'].shape == ck_flat[0].shape
assert ck_target.weight_ih_l0 is not ck_flat[0] and ck_target(torch.ones(1, 1, 2))[0].shape == (1, 1, 3)
ck_m.zero_grad(); ck_m(torch.ones(1, 1, 2))[0].sum().backward(); ck_o.step()
ck_buf.seek(0)
assert torch.load(ck_buf)['e'] == 1
assert ck_m._flat_weights[0] is ck_m.weight_ih_l0

# %% case: th_parametrized_and_special_tensors
import torch, torch.nn as nn
import torch.nn.utils.parametrize as pz
class PzSym(nn.Module):
    def forward(self, X): return X.triu() + X.triu(1).T
    def right_inverse(self, A): return A.triu()
pz_l = nn.Linear(3, 3)
pz.register_parametrization(pz_l, 'weight', PzSym())
pz_spec = torch.nn.utils.parametrizations.spectral_norm(nn.Linear(2, 2))
pz_sp = torch.sparse_coo_tensor([[0, 1], [1, 0]], [3., 4.], (2, 2)).coalesce()
with torch.inference_mode():
    pz_inf = torch.ones(2)
# %%
pz_q = torch.quantize_per_tensor(torch.tensor([.1, .2]), .1, 0, torch.qint8)
pz_lazy = nn.LazyLinear(4)
pz_conj = torch.tensor([1 + 2j]).conj()
# %%
pz_opt = torch.optim.SGD(pz_l.parameters(), lr=.1)
pz_l(torch.ones(1, 3)).sum().backward(); pz_opt.step()
pz_csr = pz_sp.to_sparse_csr()
# %% check
assert torch.equal(pz_l.weight, pz_l.weight.T) and pz.is_parametrized(pz_l, 'weight')
assert isinstance(pz_l, nn.Linear) and type(pz_l.parametrizations.weight[0]) is PzSym
assert pz_opt.param_groups[0]['params'][1] is pz_l.parametrizations.weight.original
assert pz_inf.is_inference()
assert pz_sp.is_sparse and pz_sp.is_coalesced() and pz_sp.to_dense().tolist() == [[0, 3], [4, 0]]
assert pz_csr.layout is torch.sparse_csr and pz_csr.values().tolist() == [3., 4.]
assert pz_q.is_quantized and pz_q.int_repr().tolist() == [1, 2]
assert pz_conj.is_conj() and pz_conj.item() == 1 - 2j
assert pz_lazy(torch.ones(1, 6)).shape == (1, 4) and type(pz_lazy) is nn.Linear
assert pz_spec(torch.ones(1, 2)).shape == (1, 2) and pz.is_parametrized(pz_spec)
pz.remove_parametrizations(pz_l, 'weight')
assert not pz.is_parametrized(pz_l) and type(pz_l) is nn.Linear

# %% case: th_scaler_schedule_and_tensor_subclass
import torch, torch.nn as nn
class SuT(torch.Tensor):
    tags = []
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        SuT.tags.append(getattr(func, '__name__', '?'))
        return super().__torch_function__(func, types, args, kwargs or {})
su_x = torch.ones(3).as_subclass(SuT)
su_x.note = 'hello'
su_lin = nn.Linear(3, 1)
su_opt = torch.optim.Adagrad([{'params': su_lin.weight, 'lr': .1}, {'params': su_lin.bias, 'lr': .01, 'name': 'bias'}])
su_factor = 2.
su_sch = torch.optim.lr_scheduler.LambdaLR(su_opt, [lambda e: 1 / (1 + e), lambda e: su_factor ** e])
su_scaler = torch.amp.GradScaler('cpu', init_scale=1024., growth_interval=2)
# %%
su_loss = su_lin(torch.ones(2, 3)).sum()
su_scaler.scale(su_loss).backward()
su_scaler.step(su_opt); su_scaler.update(); su_sch.step()
# %%
su_opt.zero_grad()
su_scaler.scale(su_lin(torch.ones(2, 3)).sum()).backward()
su_scaler.step(su_opt); su_scaler.update(); su_sch.step()
SuT.tags.clear()
# %% check
assert su_scaler.get_scale() == 2048. and su_scaler.is_enabled()
assert abs(su_opt.param_groups[0]['lr'] - .1 / 3) < 1e-12 and abs(su_opt.param_groups[1]['lr'] - .04) < 1e-12
assert su_opt.param_groups[1]['name'] == 'bias' and su_opt.param_groups[1]['params'][0] is su_lin.bias
su_factor = 1.
su_sch.step()
assert abs(su_opt.param_groups[1]['lr'] - .01) < 1e-12 and su_sch.last_epoch == 3
assert type(su_x) is SuT and su_x.note == 'hello'
su_y = su_x + 1
assert type(su_y) is SuT and SuT.tags[-1] == 'add'
assert su_opt.state[su_lin.weight]['step'] == 2
assert su_lin.weight.grad.tolist() == [[4096.] * 3] or su_lin.weight.grad.tolist() == [[2.] * 3]
