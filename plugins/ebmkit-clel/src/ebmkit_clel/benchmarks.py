"""What `ebmkit bench` times of CLEL: its training step beside the published way of making it, and its guidance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from ebmkit import Part, Point, Recipe, as_recipe
from ebmkit.benchmarks.training import (
    Averages,
    NoiseImages,
    assembled,
    flops_of,
    in_precisions,
    matrix_products,
    steps,
)
from ebmkit.benchmarks.workload import Bar, Call, Timed, Way, Workload
from ebmkit.ops.augmentation import PRESETS, augment
from ebmkit_clel.latent_head import LatentHead
from ebmkit_clel.losses import guidance, nt_xent
from ebmkit_clel.objective import Clel

COLOUR, GREY = (3, 32, 32), (1, 28, 28)
ROWS = 10_000
REINIT = 0.001
EAGER = {"run.engine": "eager"}


def workloads() -> tuple[Workload, ...]:
    """Returns the training step of CLEL Base on a CPU and on a GPU, and the share of it that the guidance takes."""
    return (base_step(), base_step_on_a_gpu(), guidance_share())


def base_step() -> Workload:
    """Returns the training step of CLEL Base: 16 data, ten moves, one thread."""
    return Workload(
        name="clel-base-step",
        title="training step of CLEL Base, 16 images, 10 moves",
        chains=16,
        threads=1,
        device="cpu",
        seconds=10.0,
        least_rounds=2,
        ways={
            "ebmkit bf16": base_way("bf16", "bf16"),
            "ebmkit bf16 compiled": base_way("bf16", "bf16", "compile"),
            "ebmkit bf16, fp32 update": base_way("bf16", "fp32"),
            "ebmkit fp32": base_way("fp32", "fp32"),
            "published": Way(make=lambda device: Timed(call=Published(device, 16, 10).step), style="published"),
        },
        bars=(
            Bar("published", "ebmkit bf16", 4.0),
            Bar("published", "ebmkit bf16 compiled", 4.0),
            Bar("published", "ebmkit fp32", 1.3),
        ),
    )


def base_step_on_a_gpu() -> Workload:
    """Returns the published size of the same step: 64 data, 60 moves."""
    settings: dict[str, Any] = {"batch": 64, "moves": 60, "count": True}
    return Workload(
        name="clel-base-step-gpu",
        title="training step of CLEL Base, 64 images, 60 moves",
        chains=64,
        device="cuda",
        seconds=60.0,
        peak="bf16 matrix products",
        ways={
            "ebmkit bf16": base_way("bf16", "bf16", **settings),
            "ebmkit bf16 graph": replace(base_way("bf16", "bf16", "graph", **settings), style=""),
            "ebmkit bf16, fp32 update": base_way("bf16", "fp32", **settings),
            "published": Way(make=lambda device: Timed(call=Published(device, 64, 60).step), style="published"),
            "bf16 matrix products": Way(make=matrix_products, precision="bf16"),
        },
    )


def base_way(
    precision: str, train: str, engine: str = "eager", *, batch: int = 16, moves: int = 10, count: bool = False
) -> Way:
    """Returns our training step: moves in one precision, training passes in another; operations counted if asked."""

    def call(device: torch.device, engine: str) -> Call:
        settings = {
            "run.precision": precision,
            "run.train_precision": train,
            "run.engine": engine,
            "run.batch_size": batch,
            "sampler.sgld.moves": moves,
        }
        return steps(assembled("clel-cifar10", COLOUR, device, settings))

    def make(device: torch.device) -> Timed:
        return Timed(call=call(device, engine), flops=flops_of(call(device, "eager")) if count else None)

    return in_precisions(make, precision, train, engine)


def guidance_share() -> Workload:
    """Returns a step of recipe clel-fashion with its guidance and without; the difference is the guidance's share."""
    full = as_recipe("clel-fashion")
    network = Part("resnet", {**full.part("energy").settings, "head": "half-squared-norm"})
    bare = full.with_part("objective", Part("cd"), Part("energy-l2")).with_part("wrapper").with_part("energy", network)
    bare = replace(bare, optim={name: table for name, table in bare.optim.items() if name != "clel"})

    def way(recipe: Recipe) -> Way:
        return Way(make=lambda device: Timed(call=steps(assembled(recipe, GREY, device, EAGER))),
                   precision="as run")  # fmt: skip

    return Workload(
        name="clel-guidance",
        title="training step of clel-fashion",
        chains=full.table("run").batch_size,
        ways={"with guidance": way(full), "without guidance": way(bare)},
        bars=(Bar("without guidance", "with guidance", 0.7),),
        seconds=8.0,
    )


class Published:
    """The training step as the papers' scripts make it, from the formulas of Lee et al. (2023).

    All in fp32 and in torch's usual memory format; chains move on the live network, whose spectral norm is rebuilt in
    every pass; positive and negative phase are two passes, the views and the target of the encoder three.
    """

    def __init__(self, device: torch.device, batch: int, moves: int) -> None:
        assembly = assembled("clel-cifar10", COLOUR, device, {"run.batch_size": batch, **EAGER})
        objective = assembly.parts.objectives["clel"]
        assert isinstance(assembly.dataset, NoiseImages) and isinstance(objective, Clel)
        self.energy: LatentHead = assembly.parts.energy  # type: ignore[assignment]
        self.objective = objective
        self.encoder = self.objective.encoder.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.data, self.batch, self.moves, self.device = assembly.dataset, batch, moves, device
        self.rng = Generator(device).manual_seed(0)
        self.rows = torch.rand((ROWS, *COLOUR), generator=self.rng, device=device)
        self.fit = torch.optim.Adam(self.energy.parameters(), lr=1e-4, betas=(0.0, 0.999))
        self.learn = torch.optim.SGD(self.encoder.parameters(), lr=0.03, momentum=0.9, weight_decay=5e-4)
        self.averages = Averages(assembly.parts.owners(), assembly.recipe.table("run"))
        self.n_steps = 0

    def step(self) -> None:
        """Makes one training step."""
        x = self.data.x[torch.randint(len(self.data), (self.batch,))].to(self.device)
        place = torch.randperm(ROWS, generator=self.rng, device=self.device)[: self.batch]
        negative = self.rows[place] = self.moved(self.drawn(place))
        (self.energy_loss(x, negative) + self.encoder_loss(x, negative)).backward()  # type: ignore[no-untyped-call]
        for optimiser in (self.fit, self.learn):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.n_steps += 1
        self.averages.update(self.n_steps)

    def drawn(self, place: Tensor) -> Tensor:
        """Returns rows of the buffer, a few of them begun anew, augmented."""
        old, new = self.rows[place], torch.rand((len(place), *COLOUR), generator=self.rng, device=self.device)
        anew = torch.rand(len(place), generator=self.rng, device=self.device) < REINIT
        return self.view_of(torch.where(anew.view(-1, 1, 1, 1), new, old))

    def moved(self, x: Tensor) -> Tensor:
        """Returns x after its Langevin moves, x ← clamp(x − 100∇E + .001ξ)."""
        for _ in range(self.moves):
            leaf = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.energy(Point(x=leaf)).sum(), leaf)
            noise = torch.randn(x.shape, generator=self.rng, device=self.device)
            x = (x - 100.0 * gradient + 0.001 * noise).clamp(0.0, 1.0)
        return x

    def energy_loss(self, x: Tensor, negative: Tensor) -> Tensor:
        """Returns mean(E⁺ − E⁻) + mean(E⁺² + E⁻²) − β mean cos(g(f(x⁺)), h(t(x⁺))), with its keys for the encoder."""
        values: Mapping[str, Tensor] = self.energy.evaluate(Point(x=x), "energy", "latent")
        others: Mapping[str, Tensor] = self.energy.evaluate(Point(x=negative), "energy", "latent")
        self.keys = others["latent"].detach()
        with torch.no_grad():
            target = self.encoded(x)
        high, low = values["energy"], others["energy"]
        pulled = self.objective.config.beta * guidance(values["latent"], target)
        return (high - low).mean() + (high.square() + low.square()).mean() - pulled

    def encoder_loss(self, x: Tensor, negative: Tensor) -> Tensor:
        """Returns NT-Xent of two views, with the latents of the negatives as further keys."""
        return nt_xent(self.encoded(x), self.encoded(x), self.keys, temperature=self.objective.config.tau)

    def encoded(self, x: Tensor) -> Tensor:
        """Returns h(t(x)) [B, D] of one view, by a pass of its own."""
        view, encoder = self.view_of(x), self.encoder
        pooled = encoder.body((view - encoder.mean) / encoder.std).mean(dim=(2, 3))
        return functional.normalize(encoder.head(pooled), dim=-1)

    def view_of(self, x: Tensor) -> Tensor:
        """Returns the strong augmentation of every image."""
        return augment(x, self.rng, PRESETS["strong"], (0.0, 1.0))
