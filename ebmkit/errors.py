"""Errors that a user can cause, each one readable message: what was asked, what was found, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class EbmkitError(Exception):
    """Anything that ebmkit refuses or cannot do.

    Attributes:
        exit_status: status of the command line; 2 where the request was wrong, 1 where a run failed.
    """

    exit_status = 2


class PluginError(EbmkitError):
    """A plugin could not be loaded, or two parts claim one name."""


class RecipeError(EbmkitError):
    """A recipe, a flag or a setting is wrong."""


class CapabilityError(EbmkitError):
    """A part needs what the chosen parts cannot give."""


class DataError(EbmkitError):
    """Data are missing, empty, of another shape than asked, or not finite."""


class CheckpointError(EbmkitError):
    """A run directory or checkpoint is absent, damaged or made by something else."""


class RunError(EbmkitError):
    """A run could not go on for a reason outside the model (a full disk, say)."""

    exit_status = 1


class DivergenceError(RunError):
    """A loss, energy, gradient or chain is no longer finite, or the alarms of a run leave no doubt."""


RENAMED = {
    "samples": "pictures", "rounds": "transitions", "plain_rounds": "plain_transitions", "clamp": "bounds",
    "Needs": "Requires", "Facts": "DataSpec",
}  # fmt: skip
"""Words of the first round of 0.1.0, and what they are called now."""

FIELD_WORDS = {
    "learning_rate": ("lr",), "eta": ("step_size", "lr"), "stepsize": ("step_size",), "epsilon": ("step_size",),
    "eps": ("step_size",), "alpha": ("step_size",), "dt": ("step_size",), "sigma": ("noise", "sd"),
    "noise_std": ("noise",), "noise_scale": ("noise",), "std": ("sd",), "k": ("moves", "n"),
    "n_steps": ("moves", "steps"),
    "num_steps": ("moves", "steps"), "iterations": ("steps", "moves"), "n_moves": ("moves",), "epochs": ("steps",),
    "max_steps": ("steps",), "leapfrog_steps": ("n_leapfrog",), "trajectory_length": ("n_leapfrog",),
    "target_accept": ("accept",), "gamma": ("friction",), "mass": ("scale",), "preconditioner": ("scale",),
    "temp": ("temperature",), "t_max": ("highest",), "buffer_size": ("capacity",), "maxlen": ("capacity",),
    "reinit_freq": ("reinit",), "p_reinit": ("reinit",), "reinit_prob": ("reinit",), "batch": ("batch_size",),
    "hidden": ("widths",), "hidden_dim": ("widths",), "width": ("widths",), "channels": ("widths",),
    "nonlinearity": ("activation",), "optimizer": ("optim", "use"), "optimiser": ("optim", "use"),
    "name": ("use",), "grad_clip": ("clip",), "clip_grad": ("clip",), "max_grad_norm": ("clip",),
    "beta1": ("betas",), "beta2": ("betas",), "scheduler": ("schedule",), "ema": ("ema_half_life",),
    "ema_decay": ("ema_half_life",), "dataset": ("data",), "model": ("energy",), "network": ("energy",),
    "loss": ("objective",), "callback": ("observer",), "callbacks": ("observer",), "logger": ("observer",),
    "mcmc": ("sampler",), "training": ("run",), "train": ("run",), "logging": ("log",),
}  # fmt: skip
"""Words of the field for settings and tables, and what they may be called here."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns `" Did you mean 'x'?"` for the nearest known word, or an empty string."""
    known = list(known)
    if RENAMED.get(word) in known:
        return f" It is called '{RENAMED[word]}' now."
    for called in FIELD_WORDS.get(word.lower().replace("-", "_"), ()):
        if called in known and word not in known:
            return f" Did you mean '{called}'?"
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""
