# Estimators, pipelines and figures.

# %% case: fit
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X1, y1 = load_iris(return_X_y=True); clf1 = LogisticRegression(max_iter=200)
# %%
clf1.fit(X1, y1)
# %%
p1 = clf1.predict(X1)
# %% check
assert (clf1.predict(X1) == p1).all() and clf1.score(X1, y1) > 0.9

# %% case: pipeline
from sklearn.pipeline import make_pipeline
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
X2, y2 = load_iris(return_X_y=True); clf2 = clone(LogisticRegression(max_iter=200))
pipe2 = make_pipeline(StandardScaler(), clf2).fit(X2, y2)
# %% check
assert pipe2.named_steps['logisticregression'] is clf2 and pipe2.score(X2, y2) > 0.9

# %% case: matplotlib_inline
%matplotlib inline
import matplotlib.pyplot as plt
fig3, ax3 = plt.subplots()
ax3.plot([1, 2, 3]);
# %%
ax3.set_title('t');
# %% check
assert ax3.get_title() == 't' and ax3.figure is fig3 and len(ax3.lines) == 1
