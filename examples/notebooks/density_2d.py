# %% [markdown]
# # A density in the plane, in half a minute
#
# An energy-based model is a function E(x), here a small network. It stands for the density p(x) = exp(−E(x)/T)/Z:
# where the energy is low, data are likely. Z is the integral that makes it a density, and nobody needs to know it to
# train or to sample.
#
# This notebook trains one on eight Gaussians in a circle, draws the density that it learnt beside the data, and
# samples from it.

# %%
import matplotlib.pyplot as plt
import torch

import ebmkit
from ebmkit.data import Toy
from ebmkit.energies import Mlp
from ebmkit.samplers import Mala

STEPS = 1500

# %% [markdown]
# Training by contrastive divergence lowers the energy of data and raises that of chains, which Langevin moves carry
# along the model's own density. Where both have the same energy, the model has learnt.
#
# Every part is an object whose settings your editor completes. Each can also be a name: `ebmkit.fit("mlp",
# "toy:rings")` is a complete request, and parts that are left out are added and said.

# %%
model = ebmkit.fit(Mlp(), Toy(density="eight-gaussians"), sampler=Mala(), objective="cd", steps=STEPS)

# %% [markdown]
# In the plane the density can be drawn: `ebmkit.log_density` is −E/T, and here the sum over a fine grid gives log Z
# too.

# %%
axis = torch.linspace(-4, 4, 161)
cell = float(axis[1] - axis[0])
grid = torch.cartesian_prod(axis, axis)
log_p = ebmkit.log_density(model)(grid)
log_p = log_p - torch.logsumexp(log_p, dim=0) - 2 * torch.log(torch.tensor(cell))

# %% [markdown]
# Samples, two ways. `model.sample` starts fresh chains from the prior and moves them with the sampler of training;
# after a few moves they may not have forgotten the prior. `ebmkit.sample` runs chains for as long as it takes, with
# any sampler, and its summary says whether they have mixed. Here an exact one, MALA, goes on from fresh samples.

# %%
fresh = model.sample(500)
draws = ebmkit.sample(model.energy, Mala(moves=10), fresh.x, transitions=50)
print(draws)

# %% [markdown]
# R-hat compares the chains with each other. It is far above 1 here, and that is the truth: a chain stays in the
# Gaussian in which it began, because the valleys between them are deep. All chains together still cover the density,
# as the picture shows, because they began everywhere.

# %%
data = ebmkit.build(Toy(density="eight-gaussians"))
x = data.batch(torch.arange(4000), torch.Generator().manual_seed(0)).x

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained", sharex=True, sharey=True)
axes[0].plot(*x.T, ".", ms=2, alpha=0.4)
axes[0].set(title="data", aspect="equal", xlim=(-4, 4), ylim=(-4, 4))
axes[1].imshow(log_p.exp().view(161, 161).T, origin="lower", extent=(-4, 4, -4, 4), cmap="magma")
axes[1].set_title("density that was learnt")
axes[2].plot(*draws.final.x.T, ".", ms=2, alpha=0.6)
axes[2].set(title="samples", aspect="equal")
plt.show()

# %% [markdown]
# How good is it? The density of these data is known, so the divergence KL(data ‖ model) can be computed: the mean of
# log p(data) − log p(model) over data, in nats. 0 is perfect; a tenth of a nat is hard to see in a picture; the model
# before training is at about 2.5.

# %%
nearest = ((x + 4) / cell).round().long().clamp(0, 160)
divergence = float((data.log_density(x) - log_p.view(161, 161)[nearest[:, 0], nearest[:, 1]]).mean())
print(f"KL(data ‖ model) ≈ {divergence:.2f} nats after {model.step} steps")
