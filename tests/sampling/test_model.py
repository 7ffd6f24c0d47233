"""A model in memory is the model on disk: what training holds samples as what is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import ebmkit
from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.display.progress import Progress
from ebmkit.recipes.recipe import from_mapping, to_toml
from ebmkit.runs.checkpoints import taking
from ebmkit.runs.loop import Trainer
from ebmkit.samplers.adaptation import for_evaluation
from ebmkit.sampling.model import Model, model_of
from ebmkit.views.frozen import converge_parametrisations

RECIPES: dict[str, dict[str, Any]] = {
    "adapted steps, averaged weights": {
        "run": {"steps": 4, "batch_size": 8, "ema_copy_steps": 1, "ema_half_life": 40.0},
        "data": {"use": "toy", "density": "rings"},
        "buffer": {"use": "replay", "capacity": 32},
        "sampler": [{"use": "mala", "moves": 3, "adapt_every": 1, "adapt": "dual-averaging"}],
        "sample": {"batch_size": 5},
    },
    "spectral norm, a label that moves": {
        "run": {"steps": 3, "batch_size": 8, "ema_copy_steps": 1, "ema_half_life": 40.0},
        "data": {"use": "fashion-mini", "limit": 50},
        "energy": {"use": "resnet", "widths": [4, 8]},
        "coordinate": [{"use": "label"}],
        "sampler": [{"use": "sgld", "moves": 2}, {"use": "gibbs", "coordinate": "label", "window": 3}],
    },
}


def trainer_of(name: str, out: Path, watch: Any = None) -> Trainer:
    asked = {**RECIPES[name], "log": {"tensorboard": False}, "pictures": {"every": 1000}}
    made = complete(from_mapping(asked))
    out.mkdir()
    return Trainer(out, assemble(made.recipe, dataset=made.dataset), watch)


def in_memory(trainer: Trainer) -> Model:
    """The model as evaluation during training needs it: a copy with the averages of now, adaptation ended."""
    state = trainer.state
    copy = assemble(trainer.recipe, data=trainer.assembly.data, with_data=False)
    for name, module in copy.parts.owners().items():
        taking.take(module, state.averages.values[name], name)
        converge_parametrisations(module)
    return model_of(copy, step=state.step, tuning=for_evaluation(state.tuning))


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_in_memory_generates_what_the_loaded_one_does(name: str, tmp_path: Path) -> None:
    trainer = trainer_of(name, tmp_path / "run")
    (tmp_path / "run" / "recipe.toml").write_text(to_toml(trainer.recipe))
    trainer.train()
    one, other = (ebmkit.generate(m, 8, seed=3) for m in (in_memory(trainer), ebmkit.load(tmp_path / "run").model))
    assert torch.equal(one.x, other.x) and one.aux.keys() == other.aux.keys()
    assert all(torch.equal(one.aux[key], other.aux[key]) for key in one.aux)
    assert one.n_gradients == other.n_gradients and one.accept_rate == other.accept_rate


@pytest.mark.parametrize("name", RECIPES)
def test_generation_during_training_changes_nothing_of_it(name: str, tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    def look(progress: Progress) -> None:
        seen.append(ebmkit.generate(in_memory(watched), 3).x)
        seen.append(ebmkit.generate(model_of(watched.assembly, tuning=watched.state.tuning), 3).x)

    watched, alone = trainer_of(name, tmp_path / "one", look), trainer_of(name, tmp_path / "two")
    for trainer in (watched, alone):
        trainer.train()
    assert len(seen) == 2 * RECIPES[name]["run"]["steps"] and not torch.equal(seen[0], seen[-2])
    for key, module in watched.assembly.parts.owners().items():
        state, other = module.state_dict(), alone.assembly.parts.owners()[key].state_dict()
        assert all(torch.equal(state[entry], other[entry]) for entry in other)
        averages = watched.state.averages.values[key], alone.state.averages.values[key]
        assert all(torch.equal(averages[0][entry], averages[1][entry]) for entry in averages[1])
        assert all(p.requires_grad for p in module.parameters())


# --- what a person asks of a model


def test_a_model_takes_x_as_data_have_it(tmp_path: Path) -> None:
    run = ebmkit.run(
        {
            "run": {"steps": 2, "batch_size": 8},
            "data": {"use": "toy"},
            "energy": {"use": "mlp", "widths": (8,)},
            "sampler": {"use": "mala", "moves": 2},
        },
        out=tmp_path / "run",
    )
    x = torch.randn(5, 2)
    assert torch.equal(run.energy(x), run.energy(ebmkit.Point(x=x)))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(run.energy(leaf).sum(), leaf)
    assert torch.allclose(run.score(x), -gradient) and torch.allclose(run.score(ebmkit.Point(x=x)), -gradient)
    assert ebmkit.score(run.energy, ebmkit.Point(x=x)).allclose(run.score(x))


def test_the_score_is_of_the_density_at_its_temperature() -> None:
    net = torch.nn.Linear(2, 1, bias=False)
    model = ebmkit.fit(net, torch.randn(50, 2), sampler="mala", steps=1, batch_size=8, temperature=0.25, progress=False)
    expected = -net.weight.detach().expand(3, 2) / 0.25
    assert model.score(torch.randn(3, 2)).allclose(expected)


def test_a_model_takes_x_of_any_real_dtype_and_arrays() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.SiLU(), torch.nn.Linear(4, 1))
    x = torch.randn(20, 2, dtype=torch.float64)
    model = ebmkit.fit(net, x, sampler="mala", objective="cd", steps=1, progress=False)
    expected = net(x.float())[:, 0]
    assert torch.equal(model.energy(x), expected) and torch.equal(model.energy(x.numpy()), expected)
    assert torch.equal(model.score(x), model.score(x.float()))
    for ask in (model.energy, model.score):
        with pytest.raises(ebmkit.DataError, match=r"x \[B, 2\], rows first, found \[2\]. Of one x: x\[None\]"):
            ask(x[0])
        with pytest.raises(ebmkit.DataError, match=r"found \[20, 3\]"):
            ask(torch.zeros(20, 3))
        with pytest.raises(ebmkit.DataError, match="uint8"):
            ask(torch.zeros(20, 2, dtype=torch.uint8))


def test_x_at_a_noise_level_is_asked_at_data_in_the_units_of_chains() -> None:
    pixels = torch.rand(40, 1, 4, 4)
    model = ebmkit.fit(
        "mlp", pixels, sampler="mgms", steps=1, batch_size=8, progress=False, settings={"sampler.moves": 1}
    )
    x = pixels[:6]
    level = torch.zeros(6, dtype=torch.int64)
    at_data = ebmkit.Point(x=2 * x - 1, aux={"level": level})
    assert torch.allclose(model.energy(x), model.energy(at_data))
    assert torch.allclose(model.score(x), 2 * model.score(at_data), rtol=1e-4)


def test_chains_start_where_they_are_told_to() -> None:
    x = torch.randn(50, 2)
    model = ebmkit.fit("mlp", x, sampler="mala", steps=1, batch_size=8, progress=False)
    near = model.sample(50, start=x + 100, transitions=1, progress=False).x
    assert near.sub(x + 100).norm(dim=1).max() < 20
    with pytest.raises(ebmkit.RecipeError, match=r"start has shape \[3, 2\]"):
        model.sample(4, start=x[:3])


def test_chains_start_at_arrays_and_nowhere_that_is_not_finite() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.SiLU(), torch.nn.Linear(4, 1))
    x = torch.randn(20, 2)
    model = ebmkit.fit(net, x, sampler="sgld", objective="cd", steps=1, progress=False)
    first = model.sample(20, start=x, progress=False, transitions=1)
    again = model.sample(20, start=x.double().numpy(), progress=False, transitions=1)  # type: ignore[arg-type]
    assert torch.equal(first.x, again.x)
    with pytest.raises(ebmkit.RecipeError, match="not finite"):
        model.sample(20, start=x * float("nan"), progress=False)


class Norm(torch.nn.Module):
    """An energy of points of any shape."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, point: ebmkit.Point) -> torch.Tensor:
        return self.weight * point.x.square().flatten(1).sum(dim=1)


def test_a_network_that_is_trained_twice_takes_x_of_the_second_data() -> None:
    net = Norm()
    for d in (2, 3):
        x = torch.randn(20, d)
        model = ebmkit.fit(net, x, sampler="sgld", objective="cd", steps=1, progress=False)
        assert model.energy(x).shape == (20,) and len(net._forward_pre_hooks) == 1


def test_a_model_says_what_it_is() -> None:
    model = ebmkit.fit("mlp", torch.randn(50, 2), sampler="mala", steps=1, batch_size=8, progress=False)
    assert repr(model).startswith("Model(data array-data, energy mlp") and "1 steps, T = 1" in repr(model)
