# %% [markdown]
# # Your network, your tensor
#
# The shortest way to an energy-based model: a network from x to one number, a tensor of data, and `ebmkit.fit`. Here
# the data are readings of a machine, and the model is used to find rows that are not as they should be.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import ebmkit

STEPS = 1000

# %% [markdown]
# Readings of a pump: speed, flow and pressure. It runs at one of two speeds. The flow follows the speed, and the
# pressure falls with the flow. Columns are standardised, as for any network.


# %%
def readings(n, seed):
    """Returns n rows of speed, flow and pressure, [n, 3]."""
    rng = torch.Generator().manual_seed(seed)
    speed = torch.where(torch.rand(n, generator=rng) < 0.6, 1.0, 2.0) + 0.15 * torch.randn(n, generator=rng)
    flow = 0.8 * speed + 0.1 * torch.randn(n, generator=rng)
    pressure = speed**2 - 0.5 * flow**2 + 0.1 * torch.randn(n, generator=rng)
    return torch.stack([speed, flow, pressure], dim=1)


train = readings(5000, seed=0)
mean, sd = train.mean(dim=0), train.std(dim=0)
x = (train - mean) / sd

# %% [markdown]
# The model, in five lines. Any `nn.Module` will do that maps x [B, 3] to [B] or [B, 1]. What is not said is added: a
# sampler, a buffer for its chains, contrastive divergence; `fit` prints what it added.

# %%
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 1))
model = ebmkit.fit(net, x, sampler="mala", objective="cd", steps=STEPS, batch_size=256, lr=2e-3, temperature=1.0)
energy = model.energy(x)
score = model.score(x)

# %% [markdown]
# `model.energy(x)` is low where rows like x are common; `model.score(x)` is the slope ∇ log p, which points towards
# more common rows. Now faults: in each of these the readings of one column are swapped among rows. Column by column,
# nothing is unusual: no threshold on a single sensor could see it.

# %%
good = (readings(1000, seed=1) - mean) / sd
rng = torch.Generator().manual_seed(2)


def swapped(x, column):
    """Returns the rows with one column in random order."""
    faulty = x.clone()
    faulty[:, column] = x[torch.randperm(len(x), generator=rng), column]
    return faulty


def auroc(inside, outside):
    """Returns the probability that an energy from outside is above one from inside."""
    return float((outside[:, None] > inside[None]).double().mean())


with torch.no_grad():
    normal = model.energy(good)
    faults = {name: model.energy(swapped(good, i)) for i, name in enumerate(["speed", "flow", "pressure"])}
for name, values in faults.items():
    print(f"AUROC, {name:9} from another row: {auroc(normal, values):.2f}")

# %% [markdown]
# An AUROC of 1 would be perfect, 0.5 a coin. It cannot be 1 here: where two rows come from the same speed, a swap
# changes little, and more than half of all swaps are like that.
#
# The picture shows the data, samples of the model, and the energies. If the samples look like the data in all pairs of
# columns, the model has learnt how they hang together.

# %%
samples = ebmkit.sample(model.energy, "mala", x[:500], transitions=20).final.x

figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for axis, rows, title in ((axes[0], good, "data"), (axes[1], samples, "samples of the model")):
    axis.scatter(rows[:500, 1], rows[:500, 2], c=rows[:500, 0], s=6, vmin=-1.5, vmax=2.5)
    axis.set(title=f"{title} (colour: speed)", xlabel="flow", ylabel="pressure", xlim=(-3, 3), ylim=(-3, 4))
bins = torch.linspace(float(normal.min()), float(normal.min()) + 15, 40).tolist()
axes[2].hist(normal, bins, alpha=0.6, label="good rows")
axes[2].hist(faults["flow"], bins, alpha=0.6, label="flow swapped")
axes[2].set(title="energy", xlabel="nats")
axes[2].legend()
plt.show()
