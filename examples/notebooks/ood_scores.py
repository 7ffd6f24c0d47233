# %% [markdown]
# # Out-of-distribution scores from a classifier's energy
#
# Every classifier contains an energy: E(x) = −log Σ exp(logits) (Grathwohl et al., 2020). Where the network sees
# evidence for some class, the energy is low. Liu et al. (2020) use it as a score for data that are unlike the training
# data: no training beyond the classifier's own, no extra network.
#
# We train a small classifier on eight kinds of clothes, and ask how well its energy tells other images from clothes.
# The answer is mixed, and this notebook says where it works and where it does not.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn

import ebmkit

STEPS = 500
TRANSITIONS = 6

# %% [markdown]
# The data come with ebmkit: 6,000 + 1,000 grey images of clothes, 28×28, in ten classes. Sandals (5) and bags (8) are
# left out of the training, so that there are garments that the classifier has never seen.

# %%
data = ebmkit.build("dataset", "fashion-mini")
rng = torch.Generator().manual_seed(0)
train = data.batch(torch.arange(len(data)), rng)
test = data.split("test").batch(torch.arange(1000), rng)

UNSEEN = torch.tensor([5, 8])
seen = torch.tensor([c for c in range(10) if c not in UNSEEN])
is_seen = torch.isin(train.y, seen)
train_x, train_y = train.x[is_seen], torch.searchsorted(seen, train.y[is_seen])
clothes = test.x[torch.isin(test.y, seen)]
clothes_y = torch.searchsorted(seen, test.y[torch.isin(test.y, seen)])
print(len(train_x), "images to train on,", len(clothes), "to test on")

# %%
torch.manual_seed(0)
classifier = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2), nn.SiLU(), nn.Conv2d(16, 32, 5, stride=2), nn.SiLU(),
    nn.Flatten(), nn.Linear(32 * 16, 8),
)  # fmt: skip
optimiser = torch.optim.Adam(classifier.parameters(), lr=2e-3)
for _ in range(STEPS):
    rows = torch.randint(len(train_x), (64,), generator=rng)
    optimiser.zero_grad()
    nn.functional.cross_entropy(classifier(train_x[rows]), train_y[rows]).backward()
    optimiser.step()

with torch.no_grad():
    accuracy = float((classifier(clothes).argmax(dim=1) == clothes_y).float().mean())
print(f"{accuracy:.0%} of the test clothes are classified right")

# %% [markdown]
# The energy of the classifier, in one line, and four kinds of images that are not the clothes it knows.

# %%
energy = ebmkit.energy(classifier, output="logits")

others = {
    "sandals and bags": test.x[torch.isin(test.y, UNSEEN)],
    "clothes upside down": clothes.flip(2),
    "clothes as negatives": 1 - clothes,
    "pixels shuffled": clothes.flatten(1)[:, torch.randperm(784, generator=rng)].view_as(clothes),
    "uniform noise": torch.rand(clothes.shape, generator=rng),
}

# %% [markdown]
# Two scores, both higher for images that look unlike the training data: the energy, and the usual baseline, one minus
# the largest class probability (Hendrycks, Gimpel, 2017). The AUROC is the probability that an image of the other kind
# has a higher score than an image of clothes: 1 is perfect, 0.5 is a coin, and below 0.5 the score prefers the wrong
# images. The last column is what a user of the energy would get: how many of the others it catches, where 5 % of the
# clothes may be refused.


# %%
def auroc(inside, outside):
    """Returns the probability that a score from outside is above one from inside, ties counted half."""
    above = (outside[:, None] > inside[None]).double() + (outside[:, None] == inside[None]).double() / 2
    return float(above.mean())


@torch.no_grad()
def scores(x):
    """Returns the energy and one minus the largest class probability of images, each [n]."""
    return energy(ebmkit.Point(x=x)), 1 - classifier(x).softmax(dim=1).amax(dim=1)


def caught(inside, outside):
    """Returns the share of scores from outside above the threshold that 5 % of those from inside exceed."""
    return float((outside > inside.quantile(0.95)).float().mean())


inside = scores(clothes)
table = {name: [auroc(a, b) for a, b in zip(inside, scores(x), strict=True)] for name, x in others.items()}

print(f"{'AUROC':24}{'energy':>8}{'1 − max p':>11}{'caught by the energy':>22}")
for name, values in table.items():
    print(f"{name:24}{values[0]:8.2f}{values[1]:11.2f}{caught(inside[0], scores(others[name])[0]):22.0%}")

# %% [markdown]
# What works: noise and shuffled pixels, which have none of the edges and shapes that the classifier looks for. The
# energy finds nearly all of them, and it beats the class probability in every row.
#
# What does not: images that are made of the same parts as clothes. Sandals, bags, negatives and clothes upside down
# score higher on average, but most of them pass as clothes. This is no accident of a small network. Cross-entropy
# trains ratios of classes; nothing keeps Σ exp(logits) small on images that nobody showed it. Do not expect the rows
# of this table to carry over to other data: try the score on the outliers that you fear.
#
# The histograms show the same thing: what is to the right of the clothes can be told from them, what overlaps cannot.

# %%
figure, axes = plt.subplots(1, len(others), figsize=(14, 2.8), layout="constrained", sharex=True)
for axis, (name, x) in zip(axes, others.items(), strict=True):
    axis.hist(inside[0], bins=30, density=True, alpha=0.6, label="clothes")
    axis.hist(scores(x)[0], bins=30, density=True, alpha=0.6, label="others")
    axis.set(title=f"{name}\nAUROC {table[name][0]:.2f}", xlabel="energy (nats)", yticks=[])
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# The last test is the hardest: is this energy a density? Chains that start at noise and follow it downhill should
# arrive at clothes. They do not. They find images of lower energy than any real garment, which look like nothing: this
# energy is a score for some kinds of images, not a model of clothes. For that it has to be trained as one, with
# contrastive divergence (`ebmkit.fit`) or beside the classifier.

# %%
context = ebmkit.BuildContext(event_shape=data.event_shape, value_range=data.value_range)
langevin = ebmkit.build(ebmkit.samplers.Sgld(step_size=0.05, noise=0.005, moves=20), context=context)
chains = ebmkit.sample(energy, langevin, others["uniform noise"][:16], transitions=TRANSITIONS, burn_in=0)

lowest = float(inside[0].min())
print(f"lowest energy of {len(clothes)} clothes: {lowest:.1f} nats")
print(f"energy of the chains, mean: {float(chains.energy[-1].mean()):.1f} nats")

figure, axes = plt.subplots(2, 8, figsize=(10, 2.8), layout="constrained")
for row, images, name in ((axes[0], clothes, "clothes"), (axes[1], chains.x[-1], "chains")):
    for axis, image in zip(row, images, strict=False):
        axis.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
plt.show()
