"""What `ebmkit bench` times of improved contrastive divergence: its training step beside the published one."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.func import functional_call
from torch.nn.utils import clip_grad_norm_

from ebmkit import Part, as_recipe
from ebmkit.benchmarks.training import Averages, NoiseImages, assembled, in_precisions, steps
from ebmkit.benchmarks.workload import Bar, Timed, Way, Workload
from ebmkit_improved_cd.published_network import PublishedNetwork

GREY, BATCH, MOVES, ROWS = (1, 28, 28), 16, 10, 10_000


def workloads() -> tuple[Workload, ...]:
    """Returns the training step on the published MNIST network: 16 data, ten moves, one thread.

    The KL and entropy terms are what "ebmkit bf16" takes longer than "ebmkit bf16, plain cd": 0.35 s at most are asked.
    """
    return (
        Workload(
            name="improved-cd-step",
            title=f"training step of improved-cd-mnist, {BATCH} images, {MOVES} moves",
            chains=BATCH,
            threads=1,
            device="cpu",
            seconds=10.0,
            least_rounds=2,
            ways={
                "ebmkit bf16": ours("bf16", "bf16"),
                "ebmkit bf16 compiled": ours("bf16", "bf16", "compile"),
                "ebmkit bf16, fp32 update": ours("bf16", "fp32"),
                "ebmkit bf16, plain cd": ours("bf16", "bf16", terms=False),
                "ebmkit fp32": ours("fp32", "fp32"),
                "published": Way(make=lambda device: Timed(call=Published(device).step), style="published"),
            },
            bars=(Bar("published", "ebmkit bf16", 3.5), Bar("published", "ebmkit bf16 compiled", 3.5)),
        ),
    )


def ours(precision: str, train: str, engine: str = "eager", *, terms: bool = True) -> Way:
    """Returns our training step: moves in one precision, training passes in another; without the KL and entropy terms.

    The entropy counts from the first step on, where a run would wait for the buffer to fill.
    """

    def make(device: torch.device) -> Timed:
        settings = {
            "run.precision": precision,
            "run.train_precision": train,
            "run.engine": engine,
            "run.batch_size": BATCH,
            "sampler.sgld.moves": MOVES,
        }
        recipe = as_recipe("improved-cd-mnist")
        if terms:
            settings["objective.improved-cd.fill"] = 1
        else:
            recipe = recipe.with_part("objective", Part("cd"), Part("energy-l2"))
        return Timed(call=steps(assembled(recipe, GREY, device, settings)))

    return in_precisions(make, precision, train, engine)


class Published:
    """The training step as the papers' scripts make it, from the formulas of Du, Li, Tenenbaum and Mordatch (2021).

    All in fp32 and in torch's usual memory format; chains move on the live network, whose weights are standardised in
    every pass; the last gradient of the chains is computed twice; positive and negative phase are two passes;
    neighbours are sought by a full broadcast.
    """

    def __init__(self, device: torch.device) -> None:
        settings = {"run.batch_size": BATCH, "run.engine": "eager"}
        assembly = assembled("improved-cd-mnist", GREY, device, settings)
        assert isinstance(assembly.dataset, NoiseImages)
        self.energy, self.data, self.device = PublishedNetwork(assembly.parts.energy), assembly.dataset, device
        self.rng = Generator(device).manual_seed(0)
        self.rows = torch.rand((ROWS, *GREY), generator=self.rng, device=device)
        self.fit = torch.optim.Adam(self.energy.parameters(), lr=2e-4, betas=(0.0, 0.9))
        self.averages = Averages(assembly.parts.owners(), assembly.recipe.table("run"))
        self.n_steps = 0

    def step(self) -> None:
        """Makes one training step."""
        x = self.data.x[torch.randint(len(self.data), (BATCH,))].to(self.device)
        place = torch.randperm(ROWS, generator=self.rng, device=self.device)[: BATCH + 100]
        end = self.moved(self.rows[place[:BATCH]])
        high, low = self.energy(x), self.energy(end.detach())
        loss = (high - low).mean() + (high.square() + low.square()).mean()
        (loss + self.constant_energy(end).mean() - 0.3 * self.entropy(end, self.rows[place[BATCH:]])).backward()
        clip_grad_norm_(self.energy.parameters(), 0.5)
        self.fit.step()
        self.fit.zero_grad(set_to_none=True)
        self.rows[place[:BATCH]] = end.detach()
        self.n_steps += 1
        self.averages.update(self.n_steps)

    def moved(self, x: Tensor) -> Tensor:
        """Returns x after its moves, x ← clamp(x + .001ξ − 100∇E), with the graph of the last one."""
        for i in range(MOVES):
            leaf = (x + 0.001 * torch.randn(x.shape, generator=self.rng, device=self.device)).detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.energy(leaf).sum(), leaf)
            if i == MOVES - 1:  # once more, now with its graph
                (gradient,) = torch.autograd.grad(self.energy(leaf).sum(), leaf, create_graph=True)
            x = (leaf - 100.0 * gradient).clamp(0.0, 1.0)
        return x

    def constant_energy(self, x: Tensor) -> Tensor:
        """Returns the energies [B], nats, with the parameters held constant."""
        constant = {name: parameter.detach() for name, parameter in self.energy.named_parameters()}
        found: Tensor = functional_call(self.energy, constant, (x,))
        return found

    def entropy(self, x: Tensor, reference: Tensor) -> Tensor:
        """Returns mean log min_j ‖x_i − c_j‖, log data units."""
        apart = (x.flatten(1)[:, None] - reference.flatten(1)).square().sum(dim=2)
        return (apart.min(dim=1).values.sqrt() + 1e-4).log().mean()
