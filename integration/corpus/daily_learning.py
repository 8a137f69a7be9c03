# Training sessions over several cells with sklearn and torch.
# %% case: d_ml_pipeline_grid
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import LogisticRegression
d_X, d_y = load_iris(return_X_y=True)
d_Xtr, d_Xte, d_ytr, d_yte = train_test_split(d_X, d_y, random_state=0)
# %%
d_grid = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
                      {'logisticregression__C': [0.1, 1.0]}, cv=3)
d_grid.fit(d_Xtr, d_ytr)
d_score = d_grid.score(d_Xte, d_yte)
# %%
d_best_pipe = d_grid.best_estimator_
d_scaler = d_best_pipe.named_steps['standardscaler']
# %% check
assert d_grid.score(d_Xte, d_yte) == d_score > 0.8
assert d_grid.best_estimator_ is d_best_pipe and d_best_pipe[0] is d_scaler
assert abs(d_scaler.transform(d_Xtr).mean()) < 1e-9
# %% case: d_ml_partial_fit
import numpy as np
from sklearn.linear_model import SGDClassifier
d_r = np.random.RandomState(3)
d_pf_X = d_r.randn(120, 4)
d_pf_y = (d_pf_X[:, 0] + d_pf_X[:, 1] > 0).astype(int)
d_sgd = SGDClassifier(random_state=1)
d_sgd.partial_fit(d_pf_X[:40], d_pf_y[:40], classes=[0, 1])
# %%
d_sgd.partial_fit(d_pf_X[40:80], d_pf_y[40:80])
# %% check
d_sgd.partial_fit(d_pf_X[80:], d_pf_y[80:])
d_ctl = SGDClassifier(random_state=1)
for d_i in (0, 40, 80):
    d_ctl.partial_fit(d_pf_X[d_i:d_i + 40], d_pf_y[d_i:d_i + 40], classes=[0, 1])
assert np.allclose(d_ctl.coef_, d_sgd.coef_) and d_sgd.t_ == d_ctl.t_
# %% case: d_ml_own_transformer
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
class DClipper(BaseEstimator, TransformerMixin):
    def __init__(self, q=0.1):
        self.q = q
    def fit(self, X, y=None):
        self.low_, self.high_ = np.quantile(X, [self.q, 1 - self.q], axis=0)
        return self
    def transform(self, X):
        return np.clip(X, self.low_, self.high_)
# %%
d_clip = DClipper(q=0.25).fit(np.arange(9.0).reshape(-1, 1))
# %% check
assert d_clip.transform([[100.0]])[0, 0] == 6.0 and d_clip.transform([[-5.0]])[0, 0] == 2.0
assert repr(d_clip) == 'DClipper(q=0.25)' and isinstance(d_clip, DClipper)
assert not hasattr(clone(d_clip), 'low_')
# %% case: d_ml_torch_epochs [alone]
import torch
from torch import nn
torch.manual_seed(0)
d_tx = torch.linspace(-1, 1, 32).unsqueeze(1)
d_ty = 3 * d_tx + 0.5
d_net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))
d_opt = torch.optim.Adam(d_net.parameters(), lr=0.05)
d_losses = []
def d_epochs(n, net, opt, losses):
    for _ in range(n):
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(d_tx), d_ty)
        loss.backward()
        opt.step()
        losses.append(loss.item())
# %%
d_epochs(5, d_net, d_opt, d_losses)
# %%
d_epochs(5, d_net, d_opt, d_losses)
# %% check
d_epochs(5, d_net, d_opt, d_losses)
torch.manual_seed(0)
d_net2 = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))
d_losses2 = []
d_epochs(15, d_net2, torch.optim.Adam(d_net2.parameters(), lr=0.05), d_losses2)
assert len(d_losses) == 15 and max(abs(p - q) for p, q in zip(d_losses, d_losses2)) < 1e-6
assert d_opt.param_groups[0]['params'][0] is d_net[0].weight
# %% case: d_ml_torch_module_class
import torch
from torch import nn
class DTiedNet(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.out = nn.Linear(dim, vocab, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))
    def forward(self, ids):
        self.steps += 1
        return self.out(self.embed(ids).mean(1))
# %%
d_tied = DTiedNet(10, 4)
d_tied.eval()
d_logits = d_tied(torch.tensor([[1, 2, 3]]))
# %% check
assert d_tied.out.weight is d_tied.embed.weight and len(list(d_tied.parameters())) == 1
assert not d_tied.training and d_tied.steps.item() == 1
assert torch.equal(d_tied(torch.tensor([[1, 2, 3]])), d_logits) and d_tied.steps.item() == 2
# %% case: d_ml_torch_loader_and_scheduler
import torch
from torch.utils.data import Dataset, DataLoader
class DSquares(Dataset):
    def __init__(self, n):
        self.n = n
        self.asked = []
    def __len__(self):
        return self.n
    def __getitem__(self, i):
        self.asked.append(i)
        return torch.tensor(float(i)), torch.tensor(float(i * i))
d_ds = DSquares(6)
d_dl_gen = torch.Generator().manual_seed(4)
d_loader = DataLoader(d_ds, batch_size=4, shuffle=True, generator=d_dl_gen)
# %%
d_par = torch.nn.Parameter(torch.tensor(1.0))
d_sgd_opt = torch.optim.SGD([d_par], lr=1.0)
d_sched = torch.optim.lr_scheduler.StepLR(d_sgd_opt, step_size=2, gamma=0.1)
for d_bx, d_by in d_loader:
    d_sgd_opt.step()
    d_sched.step()
# %% check
assert d_loader.dataset is d_ds and len(d_ds.asked) == 6
assert abs(d_sgd_opt.param_groups[0]['lr'] - 0.1) < 1e-9
d_sgd_opt.step(); d_sched.step(); d_sgd_opt.step(); d_sched.step()
assert abs(d_sgd_opt.param_groups[0]['lr'] - 0.01) < 1e-9
assert sorted(i for b, _ in d_loader for i in b.tolist()) == [0, 1, 2, 3, 4, 5]
# %% case: d_ml_torch_hook_and_grad
import torch
d_act = {}
d_lin = torch.nn.Linear(3, 2)
def d_save(name):
    def hook(module, inputs, output):
        d_act[name] = output.detach()
    return hook
d_handle = d_lin.register_forward_hook(d_save('lin'))
# %%
d_inp = torch.ones(1, 3, requires_grad=True)
d_lin(d_inp).sum().backward()
# %% check
assert torch.allclose(d_inp.grad[0], d_lin.weight.sum(0)) and d_lin.weight.grad.shape == (2, 3)
d_lin(2 * torch.ones(4, 3))
assert d_act['lin'].shape == (4, 2)
d_handle.remove()
d_lin(torch.ones(9, 3))
assert d_act['lin'].shape == (4, 2)
