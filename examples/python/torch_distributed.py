# %% [markdown]
# # Search with PyTorch, then train on several workers
#
# The training function is written once. First prova searches with it, one process a trial; then the very same
# function trains the best model on two workers at once, as `DistributedDataParallel`. It does not know which of
# them it is in.

# %%
import prova
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)

# %% [markdown]
# ## The data and the model
#
# Two functions make them. Parameters come by name: the model's width is one of those that are searched. The
# data are three spirals that have to be told apart.


# %%
def make_data():
    generator = torch.Generator().manual_seed(0)
    n = 1200
    arm = torch.arange(n) % 3
    radius = torch.rand(n, generator=generator)
    angle = 5 * radius + arm * 2 * torch.pi / 3 + 0.2 * torch.randn(n, generator=generator)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return TensorDataset(points[:900], arm[:900]), TensorDataset(points[900:], arm[900:])


def make_model(width, depth):
    layers = [nn.Linear(2, width), nn.Tanh()]
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, 3))


# %% [markdown]
# ## The training function
#
# It asks for what it needs by name, and there is nothing in it of devices, ranks, samplers or process groups.


# %%
def train(model, train_set, test_set, lr, reporter):
    torch.set_num_threads(1)
    loader = DataLoader(train_set, batch_size=32, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    points, arms = test_set.tensors
    for epoch in range(25):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(points).argmax(1) == arms).float().mean().item()
        reporter.broadcast(accuracy, epoch)
    return accuracy


# %% [markdown]
# ## Search

# %%
search = prova.lagom(
    train,
    name="spirals",
    model=make_model,
    dataset=make_data,
    parameters={
        "lr": prova.double(1e-4, 1e-1, log=True),
        "width": prova.int(4, 64, log=True),
        "depth": prova.int(1, 3),
    },
    metric="accuracy",
    goal="maximize",
    stopping="median",
    trials=16,
    workers=2,
    seed=1,
)

# %%
print(f"best accuracy {search.best_value:.3f}: {search.best_params}")

# %%
prova.plots.learning_curves(search);

# %% [markdown]
# ## Train the best one on two workers
#
# The same `train`, `make_model` and `make_data`. prova starts two processes, makes their process group, wraps
# the model in `DistributedDataParallel`, and gives each its share of the data behind the `DataLoader`. Here
# both are on this machine; with a driver and workers on several hosts they are wherever there is room.

# %%
run = prova.lagom(
    train,
    prova.TorchDistributedConfig(model=make_model, dataset=make_data, hparams=search.best_params, workers=2,
                                 name="spirals-on-two", metric="accuracy"),
)

# %%
print(f"one process: {search.best_value:.3f}, two: {run.best_value:.3f}")

# %%
prova.plots.learning_curves(run);
