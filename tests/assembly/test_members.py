"""What a part does not say of itself is asked of its author, when the part is built."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ebmkit.assembly.build import build_dataset
from ebmkit.assembly.members import MEMBERS, check_members
from ebmkit.assembly.parts import build_buffer, build_coordinates
from ebmkit.coordinates.label import Label
from ebmkit.coordinates.momentum import Momentum
from ebmkit.coordinates.replicas import Replicas
from ebmkit.errors import PluginError
from ebmkit.plugins import host as plugins
from ebmkit.plugins.component import Component, NoConfig
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.buffer import Buffer
from ebmkit.protocols.coordinate import Coordinate
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.recipe import Part, Recipe

WHOLE: dict[str, dict[str, Any]] = {
    "coordinate": {"name": "fog", "noises_x": False, "n_values": None, "leaves_data": False},
    "buffer": {"filled": 0},
    "dataset": {"event_shape": (2,), "value_range": None, "x_values": "real", "n_classes": 0, "class_names": ()},
}
made = SimpleNamespace(part=None)


def build_stranger(config: NoConfig, context: BuildContext) -> Any:
    return made.part


def assembled(kind: str) -> Any:
    """Builds the stranger's part as a run does."""
    if kind == "dataset":
        return build_dataset(Part("fog"), "cpu")
    build = {"coordinate": build_coordinates, "buffer": build_buffer}[kind]
    return build(Recipe(parts={kind: (Part("fog"),)}), BuildContext())


@pytest.mark.parametrize(("kind", "member"), [(kind, member) for kind, whole in WHOLE.items() for member in whole])
def test_a_member_that_is_missing_is_named_and_explained(kind: str, member: str, monkeypatch: Any) -> None:
    host = plugins.Host()
    monkeypatch.setattr(plugins, "_host", host)
    host.register(Component(kind=kind, name="fog", build=f"{__name__}:build_stranger", summary=""))
    monkeypatch.setattr(made, "part", SimpleNamespace(**WHOLE[kind]))
    assembled(kind)
    monkeypatch.setattr(made, "part", SimpleNamespace(**{k: v for k, v in WHOLE[kind].items() if k != member}))
    with pytest.raises(PluginError) as refused:
        assembled(kind)
    for said in (f"{kind} 'fog'", f"`{member}`", MEMBERS[kind][member]):
        assert said in str(refused.value)


def test_what_is_checked_is_what_the_protocols_promise() -> None:
    for kind, protocol in {"coordinate": Coordinate, "buffer": Buffer, "dataset": Dataset}.items():
        promised = {n for n in dir(protocol) if isinstance(getattr(protocol, n), property)} | {
            n for n in protocol.__annotations__ if not n.startswith("_")
        }
        assert promised == set(MEMBERS[kind]) == set(WHOLE[kind])


def test_coordinates_of_core_say_everything() -> None:
    for coordinate in (Label(3), Momentum(), Replicas(n_replicas=2, value_range=None)):
        check_members("coordinate", coordinate.name, coordinate)
        assert isinstance(coordinate, Coordinate) and not coordinate.leaves_data
