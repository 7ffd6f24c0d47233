"""Names that the field uses for what core offers, and what to type for them: they become hints, never names."""

from __future__ import annotations

from collections.abc import Mapping

_SCORE = "'sliced-score-matching', or 'denoising-score-matching' for data with noise"
_FLOW = (
    "No part fits flows: 'cd' fits an energy by chains, 'sliced-score-matching' without. An objective of your own can, "
    "see docs/plugins.md and examples/own_idea.py."
)
_FILES = "'folder:DIR' or 'npz:FILE', with files of your own"
_IMAGES = "'resnet', the energy for images"
_OPTIMISER = "That is an optimiser, of weights: --set optim.energy.use=NAME, as in adam, adamw or sgd."
_TENSORBOARD = "Every run writes that where it is asked to: --set log.tensorboard=true."
_LOG = "Every run with a directory writes metrics.jsonl there, one logged step a line."
_MCMC = "'mala', which is exact, or 'sgld'"

FIELD_WORDS: Mapping[str, Mapping[str, str]] = {
    "energy": {
        **dict.fromkeys(("fc", "fcn", "dense", "fully-connected", "feed-forward", "perceptron", "linear"), "'mlp'"),
        **dict.fromkeys(("cnn", "conv", "unet", "vit", "transformer"), _IMAGES),
        **dict.fromkeys(("resnet18", "resnet34", "resnet50", "wide-resnet", "wrn", "wrn-28-10"), "'resnet'"),
    },
    "coordinate": {
        **dict.fromkeys(("class", "classes", "y", "conditional"), "'label'"),
        **dict.fromkeys(("velocity", "momenta"), "'momentum'"),
        **dict.fromkeys(("temperature", "rung"), "'replicas'"),
    },
    "sampler": {
        **dict.fromkeys(("langevin", "langevin-dynamics", "ula", "unadjusted-langevin", "lmc", "ld"), "'sgld'"),
        **dict.fromkeys(("stochastic-gradient-langevin", "short-run", "overdamped"), "'sgld'"),
        **dict.fromkeys(("mcmc", "metropolis", "metropolis-hastings", "mh", "random-walk"), _MCMC),
        **dict.fromkeys(("langevin-adjusted", "adjusted-langevin", "metropolis-adjusted-langevin"), "'mala'"),
        **dict.fromkeys(("hamiltonian", "hamiltonian-monte-carlo", "hybrid-monte-carlo", "leapfrog"), "'hmc'"),
        **dict.fromkeys(("no-u-turn", "no-u-turn-sampler"), "'nuts'"),
        **dict.fromkeys(("underdamped-langevin", "kinetic-langevin", "baoab", "sghmc", "ulmc"), "'underdamped'"),
        **dict.fromkeys(("parallel-tempering", "replica-exchange", "pt", "annealed", "annealing"), "'tempering'"),
        **dict.fromkeys(("heat-bath", "block-gibbs"), "'gibbs'"),
        **dict.fromkeys(("gwg", "discrete-langevin", "dmala", "dula"), "'gibbs-with-gradients'"),
        **dict.fromkeys(("augmentation", "data-augmentation"), "'augment'"),
        **dict.fromkeys(("adam", "sgd", "adamw"), _OPTIMISER),
    },
    "buffer": {
        **dict.fromkeys(("persistent", "sample-buffer", "memory"), "'replay'"),
        **dict.fromkeys(("short-run", "no-buffer", "noise", "fresh", "off", "no", "false"), "'none'"),
    },
    "objective": {
        **dict.fromkeys(("contrastive-divergence", "mle", "ml", "maximum-likelihood", "nll", "likelihood"), "'cd'"),
        **dict.fromkeys(("pcd", "persistent-cd", "persistent-contrastive-divergence"), "'cd' with the buffer 'replay'"),
        **dict.fromkeys(("cd-k", "cd-1", "cd-5", "cd-10"), "'cd', whose k is sampler.moves"),
        **dict.fromkeys(("l2", "regularization", "regularisation", "energy-reg", "weight-decay"), "'energy-l2'"),
        **dict.fromkeys(("sm", "exact-score-matching", "implicit-score-matching"), _SCORE),
        **dict.fromkeys(("flow-matching", "fm"), _FLOW),
    },
    "observer": {
        **dict.fromkeys(("tensorboard", "tb", "summary-writer"), _TENSORBOARD),
        **dict.fromkeys(("jsonl", "csv", "log", "json"), _LOG),
    },
    "dataset": {
        **dict.fromkeys(("rings", "ring", "circles", "two-rings", "2d"), "'toy:rings'"),
        **dict.fromkeys(("moons", "moon", "two-moons"), "'toy:moons'"),
        **dict.fromkeys(("eight-gaussians", "8-gaussians", "gaussians", "mog", "gmm"), "'toy:eight-gaussians'"),
        **dict.fromkeys(("checkerboard", "checker", "chessboard"), "'toy:checkerboard'"),
        "ising": "'toy-discrete:ising'",
        "potts": "'toy-discrete:potts'",
        "fashion": "'fashion-mini', which is shipped, or 'fashion-mnist', from files",
        "fmnist": "'fashion-mnist', from files, or 'fashion-mini', which is shipped",
        "cifar": "'cifar10'",
        "digits": "'mnist'",
        **dict.fromkeys(("images", "image-folder", "dir", "directory", "png", "jpg"), "'folder:DIR'"),
        **dict.fromkeys(("numpy", "npy", "array", "arrays"), "'npz:FILE'"),
        **dict.fromkeys(("huggingface", "datasets", "hub"), "'hf:NAME'"),
        **dict.fromkeys(("imagenet", "celeba", "svhn", "cifar100", "lsun", "omniglot"), _FILES),
    },
}
"""Kind → word → what is meant, to follow "Did you mean"; what ends with a full stop is said as it is."""
