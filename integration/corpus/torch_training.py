# Training on the CPU: parameters, optimizer state, storages, hooks and generators are all linked by identity.
# %% case: tt_adam_resumes_with_grad_between_cells
import torch, copy
tta_g = torch.Generator().manual_seed(1)
tta_x, tta_y = torch.randn(32, 3, generator=tta_g), torch.randn(32, 1, generator=tta_g)
tta_net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
with torch.no_grad():
    for tta_p in tta_net.parameters(): tta_p.copy_(torch.randn(tta_p.shape, generator=tta_g))
tta_opt = torch.optim.Adam(tta_net.parameters(), lr=0.05, amsgrad=True)
tta_twin, tta_twin_opt = copy.deepcopy((tta_net, tta_opt))
def tta_step(net, opt, n):
    for _i in range(n):
        opt.zero_grad(); torch.nn.functional.mse_loss(net(tta_x), tta_y).backward(); opt.step()
# %%
tta_step(tta_net, tta_opt, 3)
torch.nn.functional.mse_loss(tta_net(tta_x), tta_y).backward()      # a second backward on top, the step comes later
# %% check
tta_step(tta_twin, tta_twin_opt, 3)
torch.nn.functional.mse_loss(tta_twin(tta_x), tta_y).backward()
assert all(torch.equal(a.grad, b.grad) for a, b in zip(tta_net.parameters(), tta_twin.parameters()))
tta_opt.step(); tta_twin_opt.step(); tta_step(tta_net, tta_opt, 2); tta_step(tta_twin, tta_twin_opt, 2)
assert all(torch.equal(a, b) for a, b in zip(tta_net.parameters(), tta_twin.parameters()))
assert tta_opt.param_groups[0]['params'][0] is tta_net[0].weight and tta_net[0].weight in tta_opt.state and tta_opt.state[tta_net[0].weight]['step'] == 6
# %% case: tt_tied_weights_and_module_aliases
import torch
class TtwLM(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = torch.nn.Embedding(5, 4); self.head = torch.nn.Linear(4, 5, bias=False)
        self.head.weight = self.emb.weight
        self.block = torch.nn.Linear(4, 4); self.layers = torch.nn.ModuleList([self.block, self.block])
        self.register_buffer('steps', torch.zeros(1)); self.register_buffer('tmp', torch.ones(2), persistent=False)
    def forward(self, i):
        self.steps += 1
        h = self.emb(i)
        for l in self.layers: h = l(h)
        return self.head(h)
ttw_m = TtwLM(); ttw_w = ttw_m.emb.weight; ttw_steps = ttw_m.steps
# %%
ttw_m(torch.tensor([1])).sum().backward()
with torch.no_grad(): ttw_m.head.weight[0] = 7.
# %% check
assert ttw_m.emb.weight is ttw_m.head.weight is ttw_w and ttw_m.layers[0] is ttw_m.layers[1] is ttw_m.block
assert ttw_w[0].tolist() == [7.] * 4 and len(list(ttw_m.parameters())) == 3 and ttw_w.grad is ttw_m.head.weight.grad and ttw_w.grad is not None
ttw_m(torch.tensor([0]))
assert ttw_m.steps is ttw_steps and ttw_steps.item() == 2 and 'tmp' not in ttw_m.state_dict() and ttw_m.tmp.tolist() == [1, 1] and isinstance(ttw_w, torch.nn.Parameter)
# %% case: tt_shared_storage_views_and_numpy
import torch, numpy as np
tts_a = np.zeros((3, 4), dtype=np.float32)
tts_t = torch.from_numpy(tts_a); tts_row, tts_tr, tts_flat = tts_t[1], tts_t.t(), tts_t.view(-1)[2::3]
tts_back = tts_t.numpy()[:, 0]
tts_exp = torch.zeros(3, 1).expand(3, 5); tts_cl = torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last)
tts_split = torch.arange(6.).split(2); tts_int = tts_t.view(torch.int32)
# %%
tts_row[0] = 5; tts_a[2, 3] = 9; tts_split[0].add_(10)
# %% check
tts_a[0, 2] = 4
assert tts_t[1, 0] == 5 == tts_back[1] and tts_tr[3, 2] == 9 and tts_flat[0] == 4 and tts_int[1, 0] != 0
tts_flat[3] = -1
assert tts_a[2, 3] == -1 and tts_t.untyped_storage().data_ptr() == tts_flat.untyped_storage().data_ptr() and tts_flat.stride() == (3,) and tts_flat.storage_offset() == 2
assert tts_exp.stride() == (1, 0) and tts_cl.is_contiguous(memory_format=torch.channels_last) and tts_split[2].storage_offset() == 4 and tts_split[0].tolist() == [10, 11]
tts_exp[0, 0] = 3
assert tts_exp[0].tolist() == [3] * 5 and tts_split[1].untyped_storage().data_ptr() == tts_split[0].untyped_storage().data_ptr()
# %% case: tt_schedulers_bound_to_optimizer
import torch
ttd_p = torch.nn.Parameter(torch.ones(2))
ttd_opt = torch.optim.SGD([ttd_p], lr=1.0, momentum=0.9, nesterov=True)
ttd_scale = [0.1]
ttd_sched = torch.optim.lr_scheduler.SequentialLR(ttd_opt, [torch.optim.lr_scheduler.LambdaLR(ttd_opt, lambda e: ttd_scale[0] * (e + 1)), torch.optim.lr_scheduler.ExponentialLR(ttd_opt, 0.5)], milestones=[3])
ttd_p2 = torch.nn.Parameter(torch.zeros(1)); ttd_o2 = torch.optim.SGD([ttd_p2], lr=1.0)
ttd_plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(ttd_o2, patience=1, factor=0.1)
# %%
ttd_lrs = []
for _ttd in range(2):
    ttd_p.grad = torch.ones(2); ttd_opt.step(); ttd_sched.step(); ttd_lrs.append(ttd_opt.param_groups[0]['lr'])
ttd_plateau.step(1.0); ttd_plateau.step(2.0)
# %% check
assert [round(v, 6) for v in ttd_lrs] == [0.2, 0.3] and ttd_sched.optimizer is ttd_opt and all(s.optimizer is ttd_opt for s in ttd_sched._schedulers)
ttd_plateau.step(3.0)
assert abs(ttd_o2.param_groups[0]['lr'] - 0.1) < 1e-9 and ttd_plateau.num_bad_epochs == 0 and ttd_plateau.optimizer is ttd_o2
ttd_p.grad = torch.ones(2); ttd_opt.step(); ttd_sched.step()
assert ttd_opt.param_groups[0]['lr'] == 1.0 and ttd_sched.last_epoch == 3 and ttd_opt.state[ttd_p]['momentum_buffer'].allclose(torch.full((2,), 2.71))
ttd_sched.step()
assert ttd_opt.param_groups[0]['lr'] == 0.5
# %% case: tt_hooks_with_removable_handles
import torch
tth_m = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
tth_acts, tth_grads = {}, []
def tth_hook(name):
    def hook(mod, inp, out): tth_acts[name] = out.detach()
    return hook
tth_h = tth_m[0].register_forward_hook(tth_hook('lin'))
tth_pre = tth_m.register_forward_pre_hook(lambda m, a: (a[0] * 0 + 1,))
tth_leaf = torch.ones(2, requires_grad=True)
tth_th = tth_leaf.register_hook(lambda g: g * 10)
tth_acc = tth_m[0].bias.register_post_accumulate_grad_hook(lambda p: tth_grads.append(p))
# %%
tth_m(torch.zeros(1, 2)).sum().backward()
tth_first = tth_acts['lin']
# %% check
tth_m(torch.zeros(3, 2)).sum().backward()
assert tth_acts['lin'].shape == (3, 2) and torch.equal(tth_acts['lin'][0], tth_first[0]) and len(tth_grads) == 2 and tth_grads[1] is tth_m[0].bias
(tth_leaf * 2).sum().backward()
assert tth_leaf.grad.tolist() == [20, 20]
tth_h.remove(); tth_th.remove(); tth_acc.remove(); tth_pre.remove()
assert not tth_m[0]._forward_hooks and not tth_m._forward_pre_hooks
tth_m(torch.zeros(5, 2)).sum().backward(); tth_leaf.grad = None; tth_leaf.sum().backward()
assert tth_acts['lin'].shape == (3, 2) and tth_leaf.grad.tolist() == [1, 1] and len(tth_grads) == 2
# %% case: tt_state_dict_surgery_is_live
import torch, copy, collections
tsd_m = torch.nn.Linear(2, 2)
tsd_live = tsd_m.state_dict()
tsd_saved = copy.deepcopy(tsd_live)
tsd_new = collections.OrderedDict((k.replace('weight', 'w'), v) for k, v in tsd_live.items())
tsd_opt = torch.optim.SGD(tsd_m.parameters(), lr=1.)
tsd_stale = tsd_m.bias
# %%
with torch.no_grad(): tsd_m.weight.fill_(3.)
tsd_m.bias = torch.nn.Parameter(torch.zeros(2))        # the optimizer still holds the old one
tsd_m.weight.requires_grad_(False)
# %% check
with torch.no_grad(): tsd_live['weight'][0, 0] = 8.
assert tsd_m.weight[0, 0] == 8 and tsd_new['w'][0, 0] == 8 and tsd_saved['weight'][0, 0] not in (3, 8) and tsd_live._metadata == tsd_m.state_dict()._metadata
assert tsd_opt.param_groups[0]['params'][1] is tsd_stale is not tsd_m.bias and tsd_opt.param_groups[0]['params'][0] is tsd_m.weight
assert tsd_live['bias'].data_ptr() == tsd_stale.data_ptr() and not tsd_m.weight.requires_grad and tsd_m.bias.requires_grad and tsd_live['weight'] is not tsd_m.weight
# %% case: tt_ema_and_averaged_model
import torch, copy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
tem_m = torch.nn.Linear(1, 1, bias=False)
with torch.no_grad(): tem_m.weight.fill_(1.)
tem_ema = copy.deepcopy(tem_m).requires_grad_(False)
tem_shadow = {n: p.data for n, p in tem_ema.named_parameters()}
tem_avg = AveragedModel(tem_m, multi_avg_fn=get_ema_multi_avg_fn(0.5)); tem_swa = AveragedModel(tem_m, avg_fn=lambda a, p, n: a + (p - a) / (n + 1))
def tem_update(d=0.5):
    with torch.no_grad():
        for n, p in tem_m.named_parameters(): tem_shadow[n].mul_(d).add_(p, alpha=1 - d)
# %%
for tem_v in (2., 4.):
    tem_m.weight.data.fill_(tem_v); tem_update(); tem_avg.update_parameters(tem_m); tem_swa.update_parameters(tem_m)
# %% check
assert tem_ema.weight.item() == 2.75 and tem_shadow['weight'].data_ptr() == tem_ema.weight.data_ptr() and tem_avg.module.weight.item() == 3.0 and tem_swa.module.weight.item() == 3.0
tem_m.weight.data.fill_(8.); tem_update(); tem_swa.update_parameters(tem_m); tem_avg.update_parameters(tem_m)
assert tem_ema.weight.item() == 5.375 and abs(tem_swa.module.weight.item() - 14 / 3) < 1e-5 and tem_avg.module.weight.item() == 5.5 and tem_swa.n_averaged == 3
assert tem_m.weight.requires_grad and not tem_ema.weight.requires_grad
# %% case: tt_generators_loaders_samplers
import torch
from torch.utils.data import Dataset, DataLoader, random_split, WeightedRandomSampler
class TglData(Dataset):
    reads = 0
    def __init__(self): self.x = torch.arange(12.)
    def __len__(self): return 12
    def __getitem__(self, i): TglData.reads += 1; return self.x[i], i
tgl_g = torch.Generator().manual_seed(3)
tgl_ds = TglData()
tgl_tr, tgl_va = random_split(tgl_ds, [8, 4], generator=tgl_g)
tgl_dl = DataLoader(tgl_tr, batch_size=4, shuffle=True, generator=tgl_g, collate_fn=lambda b: sorted(int(i) for _, i in b))
tgl_w = WeightedRandomSampler([0.1, 0.9], 5, generator=tgl_g)
# %%
tgl_ep = [list(tgl_dl), list(tgl_w)]
# %% check
tgl_c = torch.Generator().manual_seed(3); tgl_ct, _tgl = random_split(range(12), [8, 4], generator=tgl_c)
assert list(tgl_ct.indices) == list(tgl_tr.indices) and tgl_tr.dataset is tgl_va.dataset is tgl_ds and tgl_dl.dataset is tgl_tr and TglData.reads == 8
tgl_cd = DataLoader(tgl_ct, batch_size=4, shuffle=True, generator=tgl_c, collate_fn=sorted); tgl_cw = WeightedRandomSampler([0.1, 0.9], 5, generator=tgl_c)
assert [list(tgl_cd), list(tgl_cw)] == tgl_ep
assert list(tgl_dl) == list(tgl_cd) and list(tgl_w) == list(tgl_cw) and torch.randn(3, generator=tgl_g).equal(torch.randn(3, generator=tgl_c))
assert tgl_dl.generator is tgl_g is tgl_w.generator and tgl_dl.sampler.generator is tgl_g
# %% case: tt_global_rng_defaults_and_modes [alone]
import torch
torch.manual_seed(5); tgr_a = torch.randn(3); torch.set_default_dtype(torch.float64)
tgr_drop = torch.nn.Dropout(0.5); tgr_m = torch.nn.Sequential(torch.nn.BatchNorm1d(2), tgr_drop)
_tgr = torch.set_grad_enabled(False)
# %%
tgr_b = tgr_drop(torch.ones(6)); tgr_m.eval(); tgr_c = torch.normal(0., 1., (1,), dtype=torch.float32)
torch.set_printoptions(precision=2)
# %% check
assert torch.get_default_dtype() == torch.float64 and not torch.is_grad_enabled() and not tgr_drop.training and repr(torch.tensor(1.23456)) == 'tensor(1.23)'
tgr_next = torch.rand(4, dtype=torch.float32)
torch.manual_seed(5)
assert torch.randn(3, dtype=torch.float32).equal(tgr_a) and torch.nn.functional.dropout(torch.ones(6), 0.5).equal(tgr_b) and torch.normal(0., 1., (1,), dtype=torch.float32).equal(tgr_c)
assert torch.rand(4, dtype=torch.float32).equal(tgr_next)
# %% case: tt_live_autograd_graph [pinned]
import torch
tlg_w = torch.ones(3, requires_grad=True)
tlg_loss = (tlg_w ** 2).sum()
# %% check
tlg_loss.backward()
assert tlg_w.grad.tolist() == [2., 2., 2.]
# %% case: tt_model_beside_a_finished_loss
import torch
tbl_m = torch.nn.Linear(2, 1); tbl_opt = torch.optim.Adagrad(tbl_m.parameters())
tbl_hist = []
for _tbl in range(3):
    tbl_out = tbl_m(torch.ones(4, 2)); tbl_loss = tbl_out.pow(2).mean()
    tbl_opt.zero_grad(set_to_none=False); tbl_loss.backward(); tbl_opt.step(); tbl_hist.append(tbl_loss.item())
# %% check
tbl_chk = tbl_m(torch.ones(4, 2)).pow(2).mean().item()
assert tbl_chk < tbl_hist[-1] and tbl_opt.state[tbl_m.weight]['step'] == 3 and tbl_m.weight.grad is not None and len(tbl_hist) == 3
assert tbl_opt.param_groups[0]['params'][1] is tbl_m.bias
# %% case: tt_parametrized_and_custom_functions
import torch
from torch.nn.utils import parametrize, parametrizations
class TpcSym(torch.nn.Module):
    calls = 0
    def forward(self, x): TpcSym.calls += 1; return x.triu() + x.triu(1).T
class TpcClip(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, g): return g.clamp(-1, 1)
tpc_m = torch.nn.Linear(3, 3); tpc_plain = torch.nn.Linear(3, 3)
parametrize.register_parametrization(tpc_m, 'weight', TpcSym())
tpc_wn = parametrizations.weight_norm(torch.nn.Linear(2, 2))
tpc_orig = tpc_m.parametrizations.weight.original
# %%
with torch.no_grad(): tpc_orig.copy_(torch.arange(9.).view(3, 3)); tpc_wn.parametrizations.weight.original0.mul_(2)
# %% check
assert torch.equal(tpc_m.weight, tpc_m.weight.T) and tpc_m.weight[2, 0] == 2 and tpc_m.parametrizations.weight.original is tpc_orig and parametrize.is_parametrized(tpc_m) and not parametrize.is_parametrized(tpc_plain)
assert type(tpc_m) is not torch.nn.Linear and isinstance(tpc_m, torch.nn.Linear) and tpc_wn.weight.norm(dim=1).allclose(tpc_wn.parametrizations.weight.original0.flatten())
tpc_x = torch.ones(2, requires_grad=True); (TpcClip.apply(tpc_x) * 50).sum().backward()
assert tpc_x.grad.tolist() == [1, 1]
parametrize.remove_parametrizations(tpc_m, 'weight')
assert type(tpc_m) is torch.nn.Linear and tpc_m.weight is not None and tpc_m.weight[0, 2] == 2
# %% case: tt_odd_tensors_and_python_attributes
import torch
tot_bf = torch.tensor([1.5, 2.], dtype=torch.bfloat16); tot_c = torch.tensor([1 + 2j]); tot_conj = tot_c.conj()
tot_sp = torch.sparse_coo_tensor([[0, 1]], [3., 4.], (3,)).coalesce(); tot_meta = torch.empty(2, 3, device='meta')
tot_p = torch.nn.Parameter(torch.zeros(2)); tot_p.tag = {'decay': False}; tot_p.owner = tot_p
class TotT(torch.Tensor): pass
tot_sub = torch.ones(2).as_subclass(TotT); tot_sub.unit = 'm'
tot_leaf = torch.ones(1, requires_grad=True); tot_det = tot_leaf.detach()
tot_dt = {torch.float32: 'single', torch.device('cpu'): torch.strided}
tot_grad_only = torch.zeros(2, requires_grad=True); tot_grad_only.grad = torch.tensor([1., 2.]); tot_g = tot_grad_only.grad
# %%
tot_det[0] = 5; tot_c[0] = 3 + 4j; tot_g.mul_(2)
# %% check
assert tot_bf.dtype is torch.bfloat16 and tot_conj.is_conj() and tot_conj[0].item() == 3 - 4j and tot_sp.is_coalesced() and tot_sp.to_dense().tolist() == [3, 4, 0]
assert tot_meta.device.type == 'meta' and tot_meta.shape == (2, 3) and tot_p.tag == {'decay': False} and tot_p.owner is tot_p and isinstance(tot_p, torch.nn.Parameter)
assert type(tot_sub) is TotT and tot_sub.unit == 'm' and tot_leaf.item() == 5 and tot_leaf.is_leaf and tot_leaf.requires_grad and not tot_det.requires_grad
tot_grad_only.grad.add_(1)
assert tot_g.tolist() == [3, 5] and tot_grad_only.grad is tot_g and tot_dt[torch.float32] == 'single' and tot_dt[torch.device('cpu')] is torch.strided
# %% case: tt_param_groups_and_lbfgs
import torch
tpg_a, tpg_b, tpg_c = (torch.nn.Parameter(torch.tensor([v, 2 * v])) for v in (1., 2., 3.))
tpg_opt = torch.optim.AdamW([{'params': [tpg_a], 'name': 'a', 'extra': [1]}], lr=0.1)
def tpg_run(param, opt):
    def closure():
        opt.zero_grad(); l = ((param - 5).pow(4) * torch.tensor([1., 3.])).sum(); l.backward(); return l
    return opt.step(closure).item()
tpg_lb = torch.optim.LBFGS([tpg_b], lr=0.01, max_iter=3, history_size=3)
tpg_pg = tpg_opt.param_groups[0]
# %%
tpg_l = [tpg_run(tpg_b, tpg_lb)]
tpg_opt.add_param_group({'params': [tpg_c], 'lr': 0.5}); tpg_pg['lr'] = 0.3; tpg_a.grad = torch.ones(2); tpg_opt.step()
# %% check
tpg_l += [tpg_run(tpg_b, tpg_lb), tpg_run(tpg_b, tpg_lb)]
tpg_b2 = torch.nn.Parameter(torch.tensor([2., 4.])); tpg_lb2 = torch.optim.LBFGS([tpg_b2], lr=0.01, max_iter=3, history_size=3)
assert tpg_l == [tpg_run(tpg_b2, tpg_lb2) for _tpg in range(3)] and torch.equal(tpg_b, tpg_b2) and tpg_l[2] < tpg_l[0]
assert tpg_opt.param_groups[0] is tpg_pg and tpg_pg['lr'] == 0.3 and tpg_pg['name'] == 'a' and tpg_opt.param_groups[1]['params'][0] is tpg_c and tpg_opt.param_groups[1]['lr'] == 0.5
tpg_pg['lr'] = 0.0; tpg_before = tpg_a.tolist(); tpg_opt.step()
assert tpg_a.tolist() == tpg_before and tpg_opt.state[tpg_a]['step'] == 2 and tpg_c not in tpg_opt.state
# %% case: tt_loader_in_mid_epoch [pinned]
import torch
tlm_dl = torch.utils.data.DataLoader(list(range(6)), batch_size=2, shuffle=False)
tlm_it = iter(tlm_dl)
tlm_first = next(tlm_it)
# %% check
assert next(tlm_it).tolist() == [2, 3] and tlm_first.tolist() == [0, 1]
