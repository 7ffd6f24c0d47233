# %% [markdown]
# # The posterior of a small Bayesian regression
#
# A posterior is an energy-based model that nobody has to train: E(w) = −log p(data | w) − log p(w), and exp(−E) is the
# posterior up to a constant. `ebmkit.sample` takes any such function.
#
# This regression is linear with known noise, so its posterior is a Gaussian that we can write down. That makes it a
# good test: we compare three samplers with the exact answer, and with what each of them cost.

# %%
import time

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Ellipse

import ebmkit
from ebmkit.samplers import Hmc, Mala, Nuts

TRANSITIONS = 400

# %% [markdown]
# Thirty noisy readings of a curve. The model is y = w₀ + w₁t + w₂t² + noise, with noise of s.d. 0.3 and a prior N(0,
# 2²) on each weight. The three columns of the design are far from orthogonal, so the weights are correlated under the
# posterior: a sampler cannot treat them one by one.

# %%
NOISE, PRIOR = 0.3, 2.0
rng = torch.Generator().manual_seed(0)
t = torch.rand(30, generator=rng) * 2 - 0.5
design = torch.stack([torch.ones_like(t), t, t**2], dim=1)
y = design @ torch.tensor([0.5, -1.2, 0.9]) + NOISE * torch.randn(30, generator=rng)


def log_posterior(w):
    """Returns log p(w | data) up to a constant, nats, of B weight vectors w [B, 3]."""
    residuals = y - w @ design.T
    return -residuals.square().sum(dim=1) / (2 * NOISE**2) - w.square().sum(dim=1) / (2 * PRIOR**2)


energy = ebmkit.energy(log_posterior, output="log_density")

# %% [markdown]
# The exact answer: the posterior of a linear regression under a Gaussian prior is N(mean, covariance).

# %%
precision = design.T @ design / NOISE**2 + torch.eye(3) / PRIOR**2
covariance = torch.linalg.inv(precision)
mean = covariance @ design.T @ y / NOISE**2
sd = covariance.diagonal().sqrt()
print("exact mean", [f"{value:.3f}" for value in mean], " exact s.d.", [f"{value:.3f}" for value in sd])
print(f"correlation of w₁ and w₂: {float(covariance[1, 2] / (sd[1] * sd[2])):.3f}")

# %% [markdown]
# Sixteen chains from the prior, for each of three samplers. Burn-in is as long as what is kept, and the step sizes
# learn during it. HMC has a setting that nothing learns, the length of its trajectories: with the 10 leapfrog steps of
# the default they come nearly back to where they began on this posterior (R-hat above 1.2), so here they have 7.
# NUTS finds the length by itself, and with few chains it pays to let it stop early.

# %%
samplers = {"nuts": Nuts(stops_early=True), "hmc": Hmc(n_leapfrog=7), "mala": Mala()}
start = PRIOR * torch.randn(16, 3, generator=rng)
found, seconds = {}, {}
for name, sampler in samplers.items():
    begun = time.perf_counter()
    found[name] = ebmkit.sample(energy, sampler, start, transitions=TRANSITIONS)
    seconds[name] = time.perf_counter() - begun

print(found["nuts"])

# %% [markdown]
# What the draws are worth. The effective sample size (ESS) says how many independent draws would estimate a mean as
# well; the least of the three weights counts. The last columns compare with the exact posterior: how far the mean is
# off, in posterior s.d., and the largest error of an entry of the covariance, relative to the s.d. of its two weights.
#
# An ESS of n should leave an error of about 1/√n in the mean, and about 1.5/√n in the covariance.

# %%
header = f"{'':6}{'R-hat':>8}{'ESS':>9}{'ESS/1,000 gradients':>22}{'seconds':>9}{'mean off':>10}{'covariance off':>16}"
print(header)
errors = {}
for name, draws in found.items():
    summary = draws.summary()
    w = draws.x.flatten(0, 1)
    off = float(((w.mean(dim=0) - mean) / sd).abs().max())
    spread = float(((torch.cov(w.T) - covariance) / torch.outer(sd, sd)).abs().max())
    errors[name] = (off, spread, summary.least_ess)
    print(
        f"{name:6}{float(summary.r_hat.max()):8.3f}{summary.least_ess:9,.0f}{summary.ess_per_1000_gradients:22.1f}"
        f"{seconds[name]:9.1f}{off:10.3f}{spread:16.3f}"
    )

# %% [markdown]
# All three have the exact posterior as their law, and the errors are what their ESS promises. They differ in cost: a
# gradient of HMC is worth the most here, but only because its trajectories were given a length that suits this
# posterior. NUTS and MALA needed no such hint.
#
# Left: the data, curves of a dozen draws, and the band that holds 95 % of all curves. Right: draws of two of the
# weights, with the ellipses that hold 50 % and 95 % of the exact posterior.

# %%
w = found["nuts"].x.flatten(0, 1)
grid = torch.linspace(-0.7, 1.7, 100)
curves = torch.stack([torch.ones_like(grid), grid, grid**2], dim=1) @ w.T

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
low, high = curves.quantile(torch.tensor([0.025, 0.975]), dim=1)
left.fill_between(grid, low, high, color="C0", alpha=0.25, lw=0)
left.plot(grid, curves[:, :: len(w) // 12].numpy(), color="C0", lw=0.8, alpha=0.6)
left.plot(t, y, "k.", ms=5)
left.set(title="data and curves of the posterior", xlabel="t", ylabel="y")

right.plot(w[:, 1], w[:, 2], ".", ms=2, alpha=0.3)
lengths, axes = torch.linalg.eigh(covariance[1:, 1:])
angle = float(torch.rad2deg(torch.atan2(axes[1, 1], axes[0, 1])))
for mass in (0.5, 0.95):
    radius = (-2 * torch.log(torch.tensor(1 - mass))).sqrt()
    width, height = (2 * radius * lengths.flip(0).sqrt()).tolist()
    right.add_patch(Ellipse(mean[1:].tolist(), width, height, angle=angle, fill=False, color="C3", lw=1.5))
right.set(title="draws, and the exact posterior", xlabel="w₁", ylabel="w₂")
plt.show()

# %% [markdown]
# The same density is open to samplers that are not ebmkit's: `ebmkit.log_density` gives a plain function of tensors or
# numpy arrays, with its gradient.

# %%
log_p = ebmkit.log_density(energy)
value, gradient = log_p.value_and_gradient(mean.numpy())
print(f"log p at the exact mean {value:.3f}; the gradient there is {float(abs(gradient).max()):.1e}, about 0")
