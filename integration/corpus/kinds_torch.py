# torch tensors, modules and optimizers keep their memory, their graph of references and their hooks.
# %% case: shared_storages
import torch
ts_a = torch.arange(6.0); ts_b = ts_a[2:]; ts_c = ts_a.view(2, 3).t(); ts_d = ts_a.detach(); ts_e = ts_a.untyped_storage()
# %%
ts_b[0] = 20
# %% check
assert ts_a[2] == 20 and ts_c[2, 0] == 20 and ts_d[2] == 20 and ts_e.data_ptr() == ts_a.data_ptr() == ts_d.data_ptr() and ts_c.stride() == (1, 3)
ts_a[3] = 5
assert ts_b[1] == 5
# %% case: tied_parameters
import torch
tt_m = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)); tt_m[1].weight = tt_m[0].weight; tt_p = list(tt_m.parameters()); tt_w = tt_m[0].weight
# %%
with torch.no_grad(): tt_w.fill_(2)
# %% check
assert tt_m[1].weight is tt_m[0].weight is tt_w and len(tt_p) == 3 and tt_p[0] is tt_w and (tt_m[1].weight == 2).all() and type(tt_w) is torch.nn.Parameter and tt_w.requires_grad
# %% case: gradients_between_cells
import torch
torch.manual_seed(0)
tg_x = torch.ones(3, requires_grad=True); tg_m = torch.nn.Linear(3, 1); tg_g = None
# %%
(tg_m(tg_x).sum() * 2).backward()
# %%
tg_g = tg_m.weight.grad
# %% check
assert tg_x.grad is not None and torch.equal(tg_x.grad, tg_m.weight.detach()[0] * 2) and tg_m.weight.grad is tg_g and torch.equal(tg_g, torch.full((1, 3), 2.0)) and tg_x.requires_grad and tg_x.is_leaf
# %% case: live_graph [pinned]
import torch
tl_w = torch.ones(2, requires_grad=True); tl_loss = (tl_w * 3).sum(); tl_h = {'loss': tl_loss, 'n': [1]}
# %%
tl_h['n'].append(2)
# %% check
assert tl_h['n'] == [1, 2] and tl_w.grad is None
assert tl_loss.item() == 6 and tl_loss.grad_fn is not None and tl_h['loss'] is tl_loss
tl_loss.backward()
assert tl_w.grad.tolist() == [3, 3]
# %% case: detached_values_of_a_graph
import torch
td_w = torch.ones(2, requires_grad=True); td_losses = []
# %%
for _ in range(3): td_l = (td_w ** 2).sum(); td_l.backward(); td_losses.append(td_l.detach())
# %%
td_l = td_l.item()
# %% check
assert td_l == 2.0 and [x.item() for x in td_losses] == [2.0] * 3 and td_w.grad.tolist() == [6, 6]
# %% case: training_loop
import torch
torch.manual_seed(1)
tr_m = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1)); tr_o = torch.optim.Adam(tr_m.parameters(), lr=0.1); tr_s = torch.optim.lr_scheduler.StepLR(tr_o, 2, 0.5)
tr_x = torch.randn(16, 4); tr_y = tr_x.sum(1, keepdim=True)
def tr_step():
    tr_o.zero_grad(); l = torch.nn.functional.mse_loss(tr_m(tr_x), tr_y); l.backward(); tr_o.step(); tr_s.step(); return l.item()
# %%
tr_l = [tr_step() for _ in range(3)]
# %%
tr_l += [tr_step() for _ in range(3)]
# %% check
assert tr_o.param_groups[0]['params'][0] is tr_m[0].weight and set(map(id, tr_o.state)) == set(map(id, tr_m.parameters())) and tr_s.optimizer is tr_o and abs(tr_o.param_groups[0]['lr'] - 0.0125) < 1e-9
assert int(tr_m[3].num_batches_tracked) == 6 and tr_o.state[tr_m[0].weight]['step'] == 6 and len(tr_l) == 6
tr_w0 = tr_m[0].weight.detach().clone(); tr_step(); assert not torch.equal(tr_w0, tr_m[0].weight)
# %% case: optimizers_of_other_kinds
import torch
to_p = [torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(3))]
to_sgd = torch.optim.SGD([{'params': to_p[:1], 'lr': .1}, {'params': to_p[1:]}], lr=.01, momentum=.9); to_lb = torch.optim.LBFGS(to_p[:1]); to_sch = torch.optim.lr_scheduler.SequentialLR(to_sgd, [torch.optim.lr_scheduler.ConstantLR(to_sgd, .1, 2), torch.optim.lr_scheduler.ExponentialLR(to_sgd, .9)], [2]); to_lam = torch.optim.lr_scheduler.LambdaLR(to_sgd, lambda e: .5 ** e)
# %%
sum(p.sum() for p in to_p).backward(); to_sgd.step(); to_lam.step()
# %% check
assert to_sgd.param_groups[0]['params'][0] is to_p[0] and to_lb.param_groups[0]['params'][0] is to_p[0] and torch.equal(to_sgd.state[to_p[1]]['momentum_buffer'], torch.ones(3)) and to_lam.lr_lambdas[0](2) == .25 and to_sch.optimizer is to_sgd
to_sgd.zero_grad(); to_p[0].sum().backward(); to_sgd.step()
# %% case: module_hooks
import torch
th_log = []
th_m = torch.nn.Linear(2, 2); th_f = th_m.register_forward_hook(lambda m, i, o: th_log.append('f')); th_p = th_m.register_forward_pre_hook(lambda m, i: th_log.append('p')); th_b = th_m.register_full_backward_hook(lambda m, gi, go: th_log.append('b'))
th_s = th_m._register_state_dict_hook(lambda m, sd, pre, meta: sd.update(extra=torch.ones(1)))
# %%
th_m(torch.ones(1, 2)).sum().backward()
# %%
th_p.remove()
# %% check
assert th_log == ['p', 'f', 'b'], th_log
th_m(torch.ones(1, 2)); assert th_log == ['p', 'f', 'b', 'f'], th_log
assert 'extra' in th_m.state_dict()
th_f.remove(); th_m(torch.ones(1, 2)); assert th_log == ['p', 'f', 'b', 'f'] and len(th_m._forward_hooks) == 0
# %% case: tensor_hooks [pinned]
import torch
tk_log = []
tk_t = torch.ones(2, requires_grad=True); tk_h = tk_t.register_hook(lambda g: tk_log.append(g.sum().item())); tk_o = [1]
# %%
tk_o.append(2)
# %% check
assert tk_o == [1, 2]
(tk_t * 2).sum().backward(); assert tk_log == [4.0]
# %% case: parametrized_and_weight_normed
import torch
class TpSym(torch.nn.Module):
    def forward(self, x): return x.triu() + x.triu(1).T
tp_m = torch.nn.Linear(3, 3); torch.nn.utils.parametrize.register_parametrization(tp_m, 'weight', TpSym()); tp_w = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(2, 2)); tp_s = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 2))
# %%
with torch.no_grad(): tp_m.parametrizations.weight.original.fill_(3)
# %% check
assert torch.allclose(tp_m.weight, tp_m.weight.T) and (tp_m.weight == 3).all() and torch.nn.utils.parametrize.is_parametrized(tp_m) and isinstance(tp_m, torch.nn.Linear) and 'parametrizations.weight.original0' in tp_w.state_dict() and tp_w(torch.ones(1, 2)).shape == (1, 2) and tp_s(torch.ones(1, 2)).shape == (1, 2)
# %% case: pruned_module
import torch, torch.nn.utils.prune
tpr = torch.nn.Linear(4, 2); torch.nn.utils.prune.l1_unstructured(tpr, 'weight', amount=4)
# %%
tpr_n = int((tpr.weight == 0).sum())
# %% check
assert tpr_n == 4 and (tpr(torch.zeros(1, 4)) == tpr.bias).all() and 'weight_mask' in dict(tpr.named_buffers()) and int((tpr.weight == 0).sum()) == 4
# %% case: buffers_and_nested_containers
import torch
class TbNet(torch.nn.Module):
    def __init__(self):
        super().__init__(); self.register_buffer('count', torch.zeros(1)); self.register_buffer('tmp', torch.ones(1), persistent=False); self.subs = torch.nn.ModuleDict({'a': torch.nn.Linear(2, 2)}); self.ps = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(1))]); self.alias = self.subs['a']
    def forward(self, x): self.count += 1; return self.alias(x) * self.ps[0]
tb_n = TbNet(); tb_sd = tb_n.state_dict()
# %%
tb_n(torch.ones(1, 2)); tb_n.eval()
# %% check
assert tb_n.count == 1 and tb_sd['count'] == 1 and tb_sd['count'].data_ptr() == tb_n.count.data_ptr() and tb_n.alias is tb_n.subs['a'] and not tb_n.training and 'tmp' not in tb_n.state_dict() and tb_n.tmp == 1 and type(tb_n) is TbNet
# %% case: redefined_module_class
import torch
class TcNet(torch.nn.Module):
    def __init__(self): super().__init__(); self.l = torch.nn.Linear(1, 1)
    def forward(self, x): return 'old'
tc_old = TcNet()
# %%
class TcNet(torch.nn.Module):
    def __init__(self): super().__init__(); self.l = torch.nn.Linear(1, 1)
    def forward(self, x): return 'new'
tc_new = TcNet(); tc_new.l = tc_old.l
# %% check
assert tc_old(1) == 'old' and tc_new(1) == 'new' and tc_new.l is tc_old.l and not isinstance(tc_old, TcNet)
# %% case: numpy_shares_memory
import torch, numpy as np
tn_a = np.arange(4.0); tn_t = torch.from_numpy(tn_a); tn_u = torch.ones(3); tn_b = tn_u.numpy(); tn_v = tn_t[1:]
# %%
tn_a[1] = 10; tn_u[0] = 7
# %% check
assert tn_t[1] == 10 and tn_v[0] == 10 and tn_b[0] == 7
tn_t[2] = 5; tn_b[1] = 6
assert tn_a[2] == 5 and tn_u[1] == 6
# %% case: kinds_of_tensors
import torch
tx_sp = torch.sparse_coo_tensor([[0, 1], [1, 0]], [1.0, 2.0], (2, 2)); tx_csr = torch.eye(2).to_sparse_csr(); tx_me = torch.empty(3, device='meta'); tx_bf = torch.ones(2, dtype=torch.bfloat16); tx_h = torch.ones(2, dtype=torch.half); tx_c = torch.tensor([1 + 2j]); tx_b = torch.tensor([True]); tx_q = torch.quantize_per_tensor(torch.ones(2), .1, 0, torch.qint8); tx_0 = torch.tensor(5); tx_e = torch.empty(0, 3); tx_f8 = torch.ones(2).to(torch.float8_e4m3fn); tx_cj = tx_c.conj(); tx_ex = torch.ones(1).expand(4)
# %%
tx_bf[0] = 3; tx_sp = tx_sp.coalesce()
# %% check
assert tx_sp.to_dense().tolist() == [[0, 1], [2, 0]] and tx_sp.is_coalesced() and tx_csr.layout == torch.sparse_csr and tx_csr.to_dense().tolist() == [[1, 0], [0, 1]] and tx_me.device.type == 'meta' and tx_bf.dtype == torch.bfloat16 and tx_bf[0] == 3 and tx_h.dtype == torch.half
assert tx_c[0] == 1 + 2j and tx_cj.is_conj() and tx_cj[0] == 1 - 2j and bool(tx_b[0]) and tx_q.dequantize().tolist() == [1, 1] and tx_0.item() == 5 and tx_e.shape == (0, 3) and tx_f8.dtype == torch.float8_e4m3fn and tx_ex.stride() == (0,)
# %% case: subclass_and_attributes
import torch
class TsSub(torch.Tensor): pass
tq_s = torch.ones(2).as_subclass(TsSub); tq_a = torch.ones(2); tq_a.tag = ['x']; tq_l = tq_a.tag; tq_p = torch.nn.Parameter(torch.ones(1)); tq_p.note = 'n'; tq_u = torch.nn.UninitializedParameter(); tq_z = torch.nn.LazyLinear(2)
# %%
tq_l.append('y')
# %% check
assert type(tq_s) is TsSub and tq_a.tag is tq_l and tq_l == ['x', 'y'] and tq_p.note == 'n' and type(tq_u) is torch.nn.UninitializedParameter and tq_z(torch.ones(1, 3)).shape == (1, 2)
# %% case: random_generators
import torch
tgn = torch.Generator().manual_seed(4); tgn_2 = tgn; tgn_d = torch.default_generator
# %%
tgn_v = torch.rand(2, generator=tgn)
# %% check
tgn_r = torch.Generator().manual_seed(4); torch.rand(2, generator=tgn_r)
assert tgn is tgn_2 and torch.equal(torch.rand(2, generator=tgn), torch.rand(2, generator=tgn_r)) and tgn_d is torch.default_generator
# %% case: data_loaders
import torch
class TdSet(torch.utils.data.Dataset):
    def __len__(self): return 6
    def __getitem__(self, i): return torch.tensor(i)
tdl = torch.utils.data.DataLoader(TdSet(), batch_size=2); tdl_t = torch.utils.data.TensorDataset(torch.arange(4)); tdl_s, tdl_u = torch.utils.data.random_split(range(10), [7, 3], generator=torch.Generator().manual_seed(0))
# %%
tdl_b = [b.tolist() for b in tdl]
# %% check
assert tdl_b == [[0, 1], [2, 3], [4, 5]] and [b.tolist() for b in tdl] == tdl_b and tdl_t[1][0] == 1 and len(tdl_s) == 7 and len(tdl_u) == 3
# %% case: loader_iterator [pinned]
import torch
tdi = torch.utils.data.DataLoader(list(range(4))); tdi_i = iter(tdi); next(tdi_i); tdi_o = [1]
# %%
tdi_o.append(2)
# %% check
assert tdi_o == [1, 2]
assert next(tdi_i).tolist() == [1] and next(tdi_i).tolist() == [2]
# %% case: scripted_modules [pinned]
import torch
tsc = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)); tsc_o = [1]
# %%
tsc_o.append(2)
# %% check
assert tsc_o == [1, 2]
assert tsc(torch.ones(1, 2)).shape == (1, 2)
# %% case: compiled_modules [pinned]
import torch
tco_m = torch.nn.Linear(2, 2); tco = torch.compile(tco_m, backend='eager'); tco_f = torch.compile(lambda x: x + 1, backend='eager')
# %%
tco_m.weight.data.fill_(1)
# %% check
assert (tco_m.weight == 1).all()
assert tco._orig_mod is tco_m and tco_f(torch.ones(1)) == 2
# %% case: functions_and_types
import torch
tfu = [torch.float32, torch.nn.functional.relu, torch.relu, torch.device('cpu'), torch.Size([1, 2]), torch.strided, torch.no_grad, torch.nn.init.zeros_, torch.preserve_format, torch.ops.aten.add]
tfu_d = torch.float32
@torch.no_grad()
def tfu_f(x): return x * 2
# %%
tfu_r = tfu_f(torch.ones(1, requires_grad=True))
# %% check
assert tfu[0] is torch.float32 and tfu[1] is torch.nn.functional.relu and tfu[2] is torch.relu and tfu[3] == torch.device('cpu') and tfu[4] == (1, 2) and type(tfu[4]) is torch.Size and tfu[6] is torch.no_grad and tfu_d is torch.float32 and not tfu_r.requires_grad and not tfu_f(torch.ones(1, requires_grad=True)).requires_grad
# %% case: custom_autograd_function
import torch
class TaSq(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): ctx.save_for_backward(x); return x * x
    @staticmethod
    def backward(ctx, g): return 2 * ctx.saved_tensors[0] * g
ta_x = torch.tensor(3.0, requires_grad=True)
# %%
TaSq.apply(ta_x).backward()
# %% check
assert ta_x.grad == 6
ta_y = torch.tensor(2.0, requires_grad=True); TaSq.apply(ta_y).backward(); assert ta_y.grad == 4
# %% case: scaler_and_averages
import torch
tga = torch.amp.GradScaler('cpu', enabled=True, init_scale=8.0); tga_m = torch.nn.Linear(1, 1); tga_s = torch.optim.swa_utils.AveragedModel(tga_m); tga_d = torch.distributions.Normal(torch.tensor(0.0), torch.tensor(1.0))
# %%
tga_m.weight.data.fill_(4); tga_s.update_parameters(tga_m)
# %% check
assert tga.get_scale() == 8.0 and int(tga_s.n_averaged) == 1 and tga_s.module.weight.item() == 4 and tga_d.mean == 0
# %% case: packed_and_nested
import torch
tpk = torch.nn.utils.rnn.pack_sequence([torch.arange(3.0), torch.arange(2.0)]); tpk_l = torch.nn.LSTM(2, 3, 2); tpk_d = {'deep': [{'t': torch.zeros(2)}]}; tpk_t = tpk_d['deep'][0]['t']
# %%
tpk_t += 1
# %% check
assert type(tpk) is torch.nn.utils.rnn.PackedSequence and tpk.data.tolist() == [0, 0, 1, 1, 2] and tpk_d['deep'][0]['t'] is tpk_t and tpk_t.tolist() == [1, 1] and tpk_l(torch.ones(1, 1, 2))[0].shape == (1, 1, 3) and tpk_l._flat_weights[0] is tpk_l.weight_ih_l0
