"""What a run gives when nothing but its data was named: a density that a person recognises."""

import pytest
import torch

import ebmkit
from ebmkit.evaluation.plane import Window
from ebmkit.evaluation.quadrature import density as density_of
from ebmkit.evaluation.quadrature import divergence

WINDOW = Window.square(5.0, n_cells=240)

MOST = {"rings": 0.25, "moons": 0.15, "eight-gaussians": 0.25, "checkerboard": 0.6}
"""KL(data ‖ model), nats, about twice what two seeds gave after 800 of the 2,000 steps. Knowing only the square that
the data lie in costs .7 on the checkerboard, 1.6 on the Gaussians."""


@pytest.mark.parametrize("density", sorted(MOST))
def test_each_density_is_learnt_with_nothing_set(tmp_path, density):
    asked = {"data": {"use": "toy", "density": density}, "run": {"steps": 800, "engine": "eager"}}
    run = ebmkit.run({**asked, "log": {"tensorboard": False}, "pictures": {"every": 800}}, out=tmp_path / "run")
    data = ebmkit.build("dataset", "toy", density=density)
    found = divergence(density_of(run.energy, WINDOW, tolerance=0.1), data.log_density, WINDOW, tolerance=0.1)
    assert 0 < found.value < MOST[density]
    assert (tmp_path / "run" / "samples" / "step-00000800.png").is_file()


def test_vectors_of_any_scale_are_learnt(tmp_path):
    import numpy as np

    scale, centre = torch.tensor([300.0, 0.01, 2.0]), torch.tensor([-1000.0, 0.0, 5.0])
    unit = torch.randn(3_000, 3, generator=torch.Generator().manual_seed(0)) + torch.tensor([2.0, 0.0, 0.0]) * (
        torch.arange(3_000)[:, None] % 2 * 2 - 1
    )
    np.savez(tmp_path / "x.npz", x=(unit * scale + centre).numpy())
    asked = {"data": {"use": "npz", "path": str(tmp_path / "x.npz")}, "run": {"steps": 200, "engine": "eager"}}
    run = ebmkit.run({**asked, "log": {"tensorboard": False}}, out=tmp_path / "run")
    made = ebmkit.generate(run.model, 500, transitions=50)
    drawn = (made.x - centre) / scale
    assert drawn.mean(dim=0).abs().max() < 0.4 and (drawn.std(dim=0) / unit.std(dim=0)).log().abs().max() < 0.3
    assert (drawn[:, 0].abs() > 1).float().mean() > 0.6, "both modes, and little between them"
