# %% [markdown]
# # A training loop of one's own
#
# `ebmkit.fit` trains for you. Sometimes the loop has to be yours: another optimiser, a schedule, a second loss, a data
# loader that exists already. Then `ebmkit.parts` builds what a training step is made of, and `ebmkit.train_step` makes
# one step: it moves the chains, scores data and chains, and returns the loss. The rest is plain PyTorch.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset

import ebmkit
from ebmkit.buffers import Replay
from ebmkit.samplers import Mala

STEPS = 1000

# %% [markdown]
# The data: two half moons, as a tensor in a `DataLoader`. The network: any module from x [B, 2] to energies [B, 1].

# %%
rng = torch.Generator().manual_seed(0)
angle = math.pi * torch.rand(10_000, generator=rng)
upper = torch.rand(10_000, generator=rng) < 0.5
arcs = torch.where(
    upper[:, None],
    torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], dim=1),
    torch.stack([0.5 - angle.cos(), 0.25 - angle.sin()], dim=1),
)
x = 1.5 * arcs + 0.12 * torch.randn(10_000, 2, generator=rng)
loader = DataLoader(TensorDataset(x), batch_size=256, shuffle=True, drop_last=True)

torch.manual_seed(0)
net = nn.Sequential(
    nn.Linear(2, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2),
    nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1),
)  # fmt: skip

# %% [markdown]
# The parts: the network, a sampler for the chains, a buffer that keeps them from step to step, and the objective.

# %%
parts = ebmkit.parts(
    net, x, sampler=Mala(moves=10), buffer=Replay(capacity=2048, reinit=0.02), objective="cd",
    batch_size=256, temperature=1.0,
)  # fmt: skip
optimiser = torch.optim.Adam(parts.parameters(), lr=2e-3)
averaged = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.995))


def batches():
    """Yields batches for ever."""
    while True:
        yield from loader


# %% [markdown]
# The loop. Its body is what you know from any network; what is new is `tuning`, the step sizes of the sampler, which
# are handed from step to step. The number of the step and the seed of the parts fix every random draw of the chains.
#
# And since the loop is ours: torch's own moving average of the weights. Contrastive divergence never comes to rest
# (where the chains are too many, the energy goes up), and the average is steadier than the last step.

# %%
tuning, gaps = None, []
for step, (batch,) in zip(range(1, STEPS + 1), batches(), strict=False):
    report = ebmkit.train_step(parts, batch, step, tuning)
    optimiser.zero_grad()
    report.loss.backward()
    optimiser.step()
    tuning = report.tuning

    averaged.update_parameters(net)
    gaps.append(report.metrics["gap"])

# %% [markdown]
# The gap is E(data) − E(chains). It is no loss that should fall: it hovers around 0 while the model keeps up with the
# data, and it runs away when training diverges. What was learnt shows in the density.

# %%
axis = torch.linspace(-3, 3, 121)
log_p = ebmkit.log_density(averaged)(torch.cartesian_prod(axis, axis))
density = (log_p - torch.logsumexp(log_p, dim=0)).exp().view(121, 121)

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
axes[0].plot(torch.stack(gaps), lw=0.5)
axes[0].set(title="gap E(data) − E(chains)", xlabel="step", ylabel="nats")
axes[1].plot(*x[:3000].T, ".", ms=2, alpha=0.4)
axes[1].set(title="data", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
axes[2].imshow(density.T, origin="lower", extent=(-3, 3, -3, 3), cmap="magma")
axes[2].set_title("density that was learnt")
plt.show()

# %% [markdown]
# The averaged network is an energy like any other module. Here are chains of an exact sampler on it, started at data.
# They forget the data and spread as the model does; how far their s.d. is from that of the data is what a thousand
# steps have not learnt yet.

# %%
draws = ebmkit.sample(averaged, "mala", x[:500], transitions=20)
ends = draws.final.x
print("s.d. of data  ", [f"{value:.2f}" for value in x.std(dim=0)])
print("s.d. of chains", [f"{value:.2f}" for value in ends.std(dim=0)])
