"""Laws of the door: a network and data are enough, whatever form they come in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import ebmkit
from ebmkit.energies import Mlp
from ebmkit.samplers import Mala

KNOWN = {"sampler": Mala(moves=3), "objective": "cd", "batch_size": 16, "progress": False}


def network(seed: int = 0) -> nn.Sequential:
    with ebmkit.seeded(seed):
        return nn.Sequential(nn.Linear(2, 16), nn.SiLU(), nn.Linear(16, 1))


def normal(n: int = 400, seed: int = 1) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed)) * 0.5 + torch.tensor([1.0, -1.0])


def fitted(net: Any, x: Any, **how: Any) -> ebmkit.Model:
    return ebmkit.fit(net, x, **{**KNOWN, "steps": 5, **how})


def weights(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_fitted_density_has_the_moments_of_its_data() -> None:
    x = normal()
    model = ebmkit.fit(network(), x, sampler=Mala(moves=10), steps=300, lr=0.01, batch_size=64, progress=False)
    drawn = model.sample(400, transitions=40, progress=False).x
    assert drawn.mean(dim=0).sub(x.mean(dim=0)).abs().max() < 0.15
    assert drawn.std(dim=0).sub(x.std(dim=0)).abs().max() < 0.2
    assert model.energy(x).mean() < model.energy(x + 3).mean()


def test_the_network_itself_is_trained_and_the_model_is_made_of_it() -> None:
    net = network()
    before = weights(net)
    model = fitted(net, normal())
    assert not same(before, weights(net)) and not net.training
    x = normal(7)
    assert torch.equal(model.energy(x), net(x)[:, 0])


def test_the_seed_decides_everything_and_the_global_stream_nothing() -> None:
    nets = [network(), network(), network()]
    for i, seed in enumerate([0, 0, 1]):
        torch.manual_seed(i)
        fitted(nets[i], normal(), seed=seed)
        assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(i)))
    assert same(weights(nets[0]), weights(nets[1])) and not same(weights(nets[0]), weights(nets[2]))


def test_forms_of_the_same_data_give_the_same_model() -> None:
    x = normal()
    forms = [x, x.numpy(), (x, torch.zeros(len(x), dtype=torch.int64)), x.double(), TensorDataset(x)]
    nets = [network() for _ in forms]
    for net, form in zip(nets, forms, strict=True):
        fitted(net, form)
    assert all(same(weights(nets[0]), weights(net)) for net in nets[1:])


def test_a_loader_gives_its_batch_size_and_its_own_order() -> None:
    loader = DataLoader(TensorDataset(normal(40)), batch_size=10, shuffle=True)
    nets = [network(), network()]
    models = [fitted(net, loader, batch_size=None, steps=9) for net in nets]
    assert models[0].recipe.table("run").batch_size == 10
    assert same(weights(nets[0]), weights(nets[1]))


@pytest.mark.parametrize("net", ["mlp", Mlp(widths=(8,)), network()], ids=["name", "settings", "module"])
@pytest.mark.parametrize("sampler", ["mala", Mala(moves=2), "built"], ids=["name", "settings", "built"])
def test_parts_are_named_set_or_built(net: Any, sampler: Any) -> None:
    made = ebmkit.build("sampler", "mala", moves=2) if sampler == "built" else sampler
    model = fitted(net, normal(), sampler=made)
    assert model.sample(3, progress=False).x.shape == (3, 2)
    assert "Mala" in type(model.sampler).__name__


class Pull(nn.Module):
    """An objective of one's own with a parameter: draws the energy of data down."""

    requires = ebmkit.Requires(negatives=True)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def losses(self, energy: ebmkit.Energy, phases: ebmkit.Phases) -> dict[str, Tensor]:
        positive, negative = (phases.evaluate(name, "energy") for name in ("positive", "negative"))
        return {"gap": (positive.mean() - negative.mean()) * self.weight.square()}


def test_an_objective_of_ones_own_trains_its_parameters_too() -> None:
    pull = Pull()
    model = fitted(network(), normal(), objective=[pull, ebmkit.objectives.EnergyL2(alpha=0.1)])
    assert set(model.objectives) == {"pull", "energy-l2"} and pull.weight.item() != 1.0
    assert any("loss.pull.gap" in values for values in model.history)


def test_settings_reach_every_part() -> None:
    model = fitted(
        network(), normal(), settings={"sampler.moves": 7, "optim.energy.clip": 1.0}, sampler="mala", lr=0.02
    )
    assert model.recipe.parts["sampler"][0].settings["moves"] == 7
    assert model.recipe.owner("energy").clip == 1.0 and model.recipe.owner("energy").lr == 0.02


def test_what_was_added_is_said_and_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    fitted(network(), normal(), progress=True)
    assert "added buffer replay" in capsys.readouterr().err
    fitted(network(), normal())
    assert capsys.readouterr() == ("", "")


# --- a directory


def test_a_run_of_named_parts_can_be_resumed_as_it_is(tmp_path: Path) -> None:
    model = fitted(Mlp(widths=(8,)), "toy:rings", out=tmp_path / "run", steps=4)
    run = ebmkit.load(tmp_path / "run")
    x = normal(6)
    assert torch.equal(run.energy(x), model.energy(x)) and run.step == 4
    assert ebmkit.resume(tmp_path / "run", steps=6).step == 6


def test_what_was_handed_over_is_handed_over_again(tmp_path: Path) -> None:
    x, out = normal(), tmp_path / "run"
    model = fitted(network(), x, out=out, steps=4)
    with pytest.raises(ebmkit.RecipeError, match=r"Energy 'sequential' .* ebmkit\.load\(DIR, given="):
        ebmkit.load(out)
    other = network(seed=5)
    run = ebmkit.load(out, given={"energy": other})
    assert torch.equal(run.energy(x[:5]), model.energy(x[:5])) and torch.equal(other(x[:5])[:, 0], run.energy(x[:5]))
    with pytest.raises(ebmkit.RecipeError, match="handed over by a Python program"):
        ebmkit.resume(out, steps=8, given={"energy": network()})
    with pytest.raises(ebmkit.RecipeError, match=r"1 of \[sampler\] handed over, but the recipe of the run has 0"):
        ebmkit.load(out, given={"energy": network(), "sampler": ebmkit.build("sampler", "mala")})
    with pytest.raises(ebmkit.RecipeError, match="given is parts by table"):
        ebmkit.load(out, given=network())  # type: ignore[arg-type]


def test_a_run_goes_on_with_its_own_data_alone_and_keeps_their_range(tmp_path: Path) -> None:
    x, out = normal(), tmp_path / "run"
    fitted("mlp", x, out=out, value_range=(-9.0, 9.0), device=torch.device("cpu"))
    assert ebmkit.resume(out, steps=6, given={"data": x}).model.data.value_range == (-9.0, 9.0)
    for other, found in (
        (normal(30), "rows 400, now 30"),
        (torch.zeros(400, 3), r"shape \[2\], now \[3\]"),
        ((x, torch.zeros(400).long()), "classes 0, now 1"),
    ):
        with pytest.raises(ebmkit.DataError, match=found):
            ebmkit.resume(out, steps=7, given={"data": other})


def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path: Path) -> None:
    x, once, twice = normal(), network(), network()
    fitted(once, x, out=tmp_path / "once", steps=8)
    fitted(twice, x, out=tmp_path / "twice", steps=8, settings={"checkpoint.every": 4, "checkpoint.keep": 9})
    shutil.rmtree(tmp_path / "twice" / "checkpoints" / "step-00000008")
    again = network(seed=9)
    ebmkit.resume(tmp_path / "twice", given={"energy": again, "data": x})
    assert same(weights(once), weights(again))


def test_what_goes_on_with_a_run_names_the_parts_to_hand_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    fitted(network(), normal(), out=out, steps=1, progress=True)
    assert f"ebmkit.resume('{out}', given={{'data': …, 'energy': …}})" in _one_line(capsys)
    fitted("mlp", normal(), out=out, steps=1, progress=True, overwrite=True)
    assert f"ebmkit.resume('{out}', given={{'data': …}})" in _one_line(capsys)


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join(f"{captured.out} {captured.err}".split())


def test_a_cell_can_be_run_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert fitted("mlp", normal(), out=out).name == str(out)
    assert fitted("mlp", normal(), out=out).name == f"{out}-2"
    assert fitted("mlp", normal(), out=out).name == f"{out}-3"
    (out / "mine.txt").write_text("kept")
    assert fitted("mlp", normal(), out=out, overwrite=True, steps=2).name == str(out)
    assert (out / "mine.txt").exists() and ebmkit.resume(out, steps=3, given={"data": normal()}).step == 3


# --- what is refused


class Listed(Dataset[Any]):
    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Any:
        return self.rows[row]


def test_a_row_without_a_label_is_data() -> None:
    assert fitted(network(), Listed([(row, None) for row in normal(20)]), steps=1).data.n_classes == 0


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.full((5, 2), float("nan")), "must be finite"),
        (torch.zeros(0, 2), "no data"),
        (torch.zeros(5), "at least one more"),
        (torch.zeros(5, 2, dtype=torch.int64), "uint8 or float"),
        ((torch.zeros(5, 2), torch.zeros(4, dtype=torch.int64)), "one label a row"),
        ({"x": torch.zeros(5, 2)}, "Data were given as dict"),
        (DataLoader(TensorDataset(torch.zeros(3, 2)), batch_size=5, drop_last=True), "no batches"),
        (DataLoader(TensorDataset(torch.zeros(3, 2), torch.zeros(3), torch.zeros(3))), "A batch is x"),
        ("no-such-data", "no dataset"),
        (torch.eye(5, 2).to_sparse(), r"to_dense\(\)"),
        ([(torch.zeros(2 + i % 2),) for i in range(6)], "Data were given as list"),
        (Listed([torch.zeros(2 + i % 2) for i in range(6)]), "cannot be put into one batch"),
    ],
)
def test_data_that_cannot_be_are_refused(x: Any, message: str) -> None:
    with pytest.raises(ebmkit.EbmkitError, match=message):
        fitted(network(), x)


class Reads(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)  # [B, 5]: no energies


@pytest.mark.parametrize(
    ("net", "how", "message"),
    [
        (lambda x: x.square().sum(dim=1), {}, "Nothing here can be trained"),
        (network(), {"wrapper": "multiscale"}, "wrapper"),
        (network(), {"objective": "clel"}, "cannot be used here"),
        (network(), {"value_range": (-0.1, 0.1)}, "outside value_range"),
        (network(), {"value_range": (1.0, 0.0)}, "no range"),
        (network(), {"value_range": (0.0, 1.0, 2.0)}, "no range"),
        (network(), {"sampler": "no-such"}, "no sampler 'no-such'"),
        (network(), {"sampler": ""}, "name is missing|no sampler"),
        (network(), {"objective": network()}, "which is none"),
        (network(), {"objective": {"use": "cd", "weight": 0.5}}, "A dictionary was given as objective"),
        (network(), {"settings": {"sampler.nothing": 1}}, "nothing"),
        (network(), {"sampler": Mala}, r"the class Mala\. Write Mala\(\)"),
        (None, {}, "The energy should be given, found None"),
        (nn.Sequential(nn.Linear(3, 1)), {}, "(?i)shape|energy"),
    ],
)
def test_requests_that_make_no_sense_are_refused(net: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(ebmkit.EbmkitError, match=message):
        fitted(net, normal(), **how)


# --- a loop of one's own


def test_a_loop_of_ones_own_trains_as_a_run_does() -> None:
    ours, theirs, x = network(), network(), normal(64)
    parts = ebmkit.parts(ours, x, **{**KNOWN, "batch_size": 64})
    optimiser, tuning = torch.optim.Adam(parts.parameters(), lr=0.01, betas=(0.0, 0.999)), None
    settings = {"run.ema_half_life": 0.0, "run.engine": "eager", "optim.energy.schedule": "constant"}
    model = ebmkit.fit(theirs, x, **{**KNOWN, "batch_size": 64, "steps": 6, "lr": 0.01, "settings": settings})
    batches = [batch for step in range(1, 7) for batch in [_batch_of(model, x, step)]]
    for step, batch in enumerate(batches, 1):
        report = ebmkit.train_step(parts, batch, step, tuning)
        optimiser.zero_grad()
        report.loss.backward()
        optimiser.step()
        tuning = report.tuning
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))


def _batch_of(model: ebmkit.Model, x: Tensor, step: int) -> Tensor:
    from ebmkit.training.batches import batch_rows

    return x[batch_rows(len(x), model.recipe.table("run").batch_size, step, 0)]


def test_a_step_takes_what_a_loader_gives() -> None:
    parts = ebmkit.parts(network(), normal(32), **KNOWN)
    labels = torch.zeros(16, dtype=torch.int64)
    for step, batch in enumerate([normal(16), [normal(16), labels], (normal(16), labels), (normal(16),)], 1):
        report = ebmkit.train_step(parts, batch, step)
        assert report.loss.requires_grad and report.loss.shape == ()


def test_a_loop_sees_the_weights_of_now() -> None:
    net = network()
    parts = ebmkit.parts(net, normal(32), **KNOWN)
    ebmkit.train_step(parts, normal(16), 1)
    with torch.no_grad():
        net[0].weight.fill_(float("nan"))
    with pytest.raises(ebmkit.DivergenceError):
        ebmkit.train_step(parts, normal(16), 2)


def test_a_step_says_what_is_wrong_with_its_batch_after_the_checked_steps_too() -> None:
    parts = ebmkit.parts(network(), normal(32), **KNOWN)
    for step in range(1, 5):
        ebmkit.train_step(parts, normal(16), step)
    with pytest.raises(ebmkit.DataError, match="no rows"):
        ebmkit.train_step(parts, normal(0), 5)
    with pytest.raises(ebmkit.DataError, match=r"data of this step have shape \[3\] a row, the chains \[2\]"):
        ebmkit.train_step(parts, torch.zeros(16, 3), 5)
    with pytest.raises(ebmkit.DivergenceError, match="16 of 16 rows of the data are NaN"):
        ebmkit.train_step(parts, torch.full((16, 2), float("nan")), 5)


def test_a_loop_that_does_not_count_its_steps_is_told() -> None:
    parts = ebmkit.parts(network(), normal(32), **KNOWN)
    ebmkit.train_step(parts, normal(16), 1)
    with pytest.warns(UserWarning, match=r"step 1 twice in a row.*enumerate\(loader, 1\)"):
        ebmkit.train_step(parts, normal(16), 1)
