"""The energy of clean data as a function of x alone, in passes: that of the model, whatever coordinates it has."""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Generator, Tensor

import ebmkit
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.recipes.tables import EvalConfig
from tests.metrics.ood_models import TEMPERATURE, labelled, levelled, model

X = torch.randn(300, 2, generator=Generator().manual_seed(0))


def asked(one: Any) -> Tensor:
    subject = object.__new__(ModelSubject)
    subject.model, subject.config = one, EvalConfig()
    return subject.energy(X)


def test_a_subject_gives_the_energy_of_its_model() -> None:
    assert torch.allclose(asked(model()), X.square().sum(dim=1) / 2)
    assert torch.allclose(asked(levelled()), X.square().sum(dim=1) / 2)


def test_of_a_model_with_labels_they_are_averaged_out() -> None:
    each = torch.stack([(X - y).square().sum(dim=1) / 2 for y in range(3)])
    wanted = -TEMPERATURE * (torch.logsumexp(-each / TEMPERATURE, dim=0) - log(3))
    assert torch.allclose(asked(labelled()), wanted, atol=1e-5)


def test_of_a_trained_module_it_is_what_the_module_says() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1), torch.nn.Flatten(0))
    trained = ebmkit.fit(net, X, steps=1, progress=False)
    assert torch.allclose(asked(trained), trained.energy(X), atol=1e-6)
