"""Pictures of the plane: panels, titles, and points that lie outside."""

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ebmkit.evaluation import plane_pictures
from ebmkit.evaluation.plane import Window, log_density
from ebmkit.evaluation.plane_pictures import save_plane

WINDOW = Window(low=(-3.0, -3.0), high=(3.0, 3.0), n_cells=20)


def drawn(monkeypatch, tmp_path, *arguments, **options):
    """Returns the titles of the panels, and the figure."""
    titles = []
    frame = plane_pictures._frame
    monkeypatch.setattr(
        plane_pictures, "_frame", lambda axes, title, window: (titles.append(title), frame(axes, title, window))
    )
    save_plane(tmp_path / "x.png", *arguments, **options)
    return titles, Image.open(tmp_path / "x.png")


def test_density_stands_between_data_and_chains(monkeypatch, tmp_path):
    x = torch.randn(50, 2).clamp(-2, 2)
    log_p = log_density(lambda point: point.x.square().sum(dim=1), WINDOW)
    clouds = [("data", x), ("chains, step 9", x)]
    titles, picture = drawn(monkeypatch, tmp_path, clouds, log_density=log_p, window=WINDOW, title="toy:rings")
    assert sorted(titles) == ["chains, step 9", "data", "model density"] and picture.width > 2 * picture.height


def test_without_a_density_the_clouds_are_left(monkeypatch, tmp_path):
    x = torch.tensor([[0.0, 0.0], [50.0, 0.0]], requires_grad=True)
    titles, _ = drawn(monkeypatch, tmp_path, [("chains", x)], window=WINDOW)
    assert titles == ["chains (1 of 2 outside)"]


def test_a_lone_cloud_needs_no_window(tmp_path):
    save_plane(tmp_path / "x.png", [("samples", torch.randn(5, 2))])
    assert Image.open(tmp_path / "x.png").width > 100


def test_the_title_of_the_figure_stands_clear_of_those_of_its_panels(monkeypatch, tmp_path):
    figures = []

    def kept(self, *arguments, **options):
        FigureCanvasAgg(self)
        savefig(self, *arguments, **options)
        figures.append(self)

    savefig = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", kept)
    x = torch.randn(50, 2)
    clouds = [("data", x), ("chains, step 9", x)]
    save_plane(tmp_path / "x.png", clouds, log_density=torch.zeros(20, 20), title="toy:rings")
    figure = figures[0]
    title = figure._suptitle.get_window_extent()
    assert all(title.y0 > axes.title.get_window_extent().y1 + 2 for axes in figure.axes)
    assert all(axes.get_tightbbox().y0 > 0 for axes in figure.axes)
