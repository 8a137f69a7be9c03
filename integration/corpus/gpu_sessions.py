# Sessions as people write them for a machine with or without a GPU: everything is on `device`, and shares what it shares.
# %% case: model_optimizer_and_scheduler_on_a_device
import torch
gm_device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
torch.manual_seed(0)
gm_model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)).to(gm_device)
gm_opt = torch.optim.Adam([{'params': gm_model[0].parameters()}, {'params': gm_model[2].parameters(), 'lr': 0.5}], lr=0.1)
gm_data = torch.ones(16, 4, device=gm_device)
# %%
for _ in range(3): gm_opt.zero_grad(); gm_model(gm_data).pow(2).sum().backward(); gm_opt.step()
# %%
gm_opt.zero_grad(set_to_none=False); gm_loss = gm_model(gm_data).pow(2).sum().item()
# %% check
assert gm_opt.param_groups[1]['params'][0] is gm_model[2].weight and set(gm_opt.state) == set(gm_model.parameters())
assert gm_opt.state[gm_model[0].weight]['exp_avg'].device.type == gm_model[0].weight.device.type == gm_data.device.type and float(gm_opt.state[gm_model[0].weight]['step']) == 3
assert gm_model[0].weight.grad.abs().sum() == 0 and gm_model(gm_data).pow(2).sum().item() == gm_loss and gm_device.type in ('cpu', 'cuda')
# %% case: tied_weights_and_a_closure_over_a_parameter
import torch
gt_device = 'cuda' if torch.cuda.is_available() else 'cpu'
class GtNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(10, 4); self.out = torch.nn.Linear(4, 10, bias=False); self.out.weight = self.embed.weight
        self.register_buffer('seen', torch.zeros(10))
    def forward(self, x): self.seen[x] += 1; return self.out(self.embed(x))
gt_net = GtNet().to(gt_device)
def gt_scaler(weight):
    def scale(k):
        with torch.no_grad(): weight.mul_(k)
    return scale
gt_scale = gt_scaler(gt_net.embed.weight)
# %%
gt_before = gt_net.embed.weight.detach().clone(); gt_scale(2)
# %%
gt_y = gt_net(torch.tensor([1, 2], device=gt_device)).shape
# %% check
assert gt_net.out.weight is gt_net.embed.weight and torch.equal(gt_net.embed.weight, gt_before * 2) and len(list(gt_net.parameters())) == 1
gt_scale(0.5)
assert torch.equal(gt_net.out.weight, gt_before) and gt_net.seen.tolist()[1:3] == [1, 1] and gt_y == (2, 10)
# %% case: views_and_containers_on_a_device
import torch
gv_d = 'cuda' if torch.cuda.is_available() else 'cpu'
gv_all = torch.zeros(6, 4, device=gv_d); gv_batches = list(gv_all.split(2)); gv_cache = {'last': gv_batches[-1], 'flat': gv_all.view(-1)}
# %%
gv_batches[0].add_(1); gv_cache['last'][1] = 7
# %%
gv_best = [b.mean() for b in gv_batches]
# %% check
assert gv_all.sum().item() == 8 + 28 and gv_cache['flat'][-1] == 7 and gv_batches[2] is gv_cache['last']
gv_cache['flat'][0] = 100
assert gv_all[0, 0] == 100 == gv_batches[0][0, 0] and [round(b.item(), 2) for b in gv_best] == [1.0, 0.0, 3.5]
