"""Models of images of four pixels whose laws given a class are Gaussian, and a classifier that is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ebmkit.assembly.build import build
from ebmkit.coordinates.label import Label
from ebmkit.data.spec import DataSpec
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.plugins.context import BuildContext
from ebmkit.point import Batch, Point
from ebmkit.recipes.recipe import Recipe
from ebmkit.recipes.tables import EvalConfig
from ebmkit.samplers.sequence import Sequence
from ebmkit.sampling.model import Model

NAMES = ("a", "b", "c", "d")
MEANS = 0.3 + 0.4 * torch.eye(4)
"""Of each class: one pixel is .7, the others .3."""

SD, TEMPERATURE = 0.08, 0.5


class Brightest(nn.Module):
    """A classifier: the brightest pixel is the class."""

    classes = NAMES

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1), 20 * x.flatten(1)


BRIGHTEST = f"{__name__}:Brightest"


class Classes(nn.Module):
    """E(x, y)/T = |x − m_y|²/2s², or the same for every y where the label is ignored."""

    abilities = frozenset({"levels.label"})

    def __init__(self, ignores: bool = False) -> None:
        super().__init__()
        self.ignores = ignores

    def forward(self, point: Point) -> Tensor:
        means = MEANS.mean(dim=0) if self.ignores else MEANS[point.aux["label"]]
        return TEMPERATURE * (point.x.flatten(1) - means).square().sum(dim=1) / (2 * SD**2)

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        every = torch.stack([self(point.with_aux(label=torch.full((len(point),), i))) for i in range(4)], dim=1)
        return {name: every if name == "levels.label" else self(point) for name in abilities}


class Latents(nn.Module):
    """E(x, s) = |x − ½|²/2v − β⟨x, s⟩, times T: the mean given a latent s is ½ + βv·s."""

    abilities = frozenset({"latent"})
    guidance_strength = 1.0

    def forward(self, point: Point) -> Tensor:
        flat = point.x.flatten(1)
        pull = (flat * point.aux["latent"]).sum(dim=1) if "latent" in point.aux else 0.0
        return TEMPERATURE * ((flat - 0.4).square().sum(dim=1) / (2 * SD**2) - 0.3 / SD**2 * pull)

    def evaluate(self, point: Point, *abilities: str) -> dict[str, Tensor]:
        return {
            name: functional.normalize(point.x.flatten(1)) if name == "latent" else self(point) for name in abilities
        }


class Encoder:
    """The latent of an image of a class is the unit vector of that class."""

    requires = SimpleNamespace(negatives=True)

    def encode(self, x: Tensor) -> Tensor:
        return functional.one_hot(x.flatten(1).argmax(dim=1), 4).float()


class Data:
    """Ten images of each class."""

    def __len__(self) -> int:
        return 40

    def batch(self, rows: Tensor, rng: Any) -> Batch:
        return Batch(x=MEANS[rows % 4].view(-1, 1, 2, 2), y=rows % 4)

    def split(self, part: str) -> Data:
        return self


def subject(energy: nn.Module, n: int = 400) -> ModelSubject:
    """Returns the model of an energy as what is judged; one of labels has a coordinate for them."""
    labelled = isinstance(energy, Classes)
    context = BuildContext(event_shape=(1, 2, 2), temperature=TEMPERATURE, value_range=(0.0, 1.0))
    mala = build("sampler", "mala", context=context, moves=20, step_size=0.06, adapt="off")
    gibbs = build("sampler", "gibbs", context=BuildContext(temperature=TEMPERATURE), coordinate="label")
    tables = {
        "run": {"precision": "fp32", "temperature": TEMPERATURE}, "sample": {"batch_size": 1000, "transitions": 5}
    }  # fmt: skip
    spec = DataSpec(event_shape=(1, 2, 2), value_range=(0.0, 1.0), n_classes=4, class_names=NAMES, n_data=40)
    model = Model(
        recipe=Recipe(tables=tables),
        energy=energy,
        sampler=Sequence([mala, gibbs]) if labelled else mala,
        objectives={} if labelled else {"encodes": Encoder()},  # type: ignore[dict-item]
        coordinates=(Label(4),) if labelled else (),
        data=spec,
        device=torch.device("cpu"),
    )
    return ModelSubject(model=model, config=EvalConfig(n=n, n_data=40), dataset=Data())  # type: ignore[arg-type]
