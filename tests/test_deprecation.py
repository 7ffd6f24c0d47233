"""The way of a name that changes, tried on doubles: the former one works on, says so, and gives the same numbers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import pytest

import ebmkit
from ebmkit import Component, NoConfig, PluginError, SamplerTraits
from ebmkit.cli.main import main
from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import from_toml, to_toml
from ebmkit.recipes.resolver.resolve import Resolution, resolve

GOES = "since 0.3, goes with 0.5: use new-walk"


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkConfig:
    """A walk.

    Attributes:
        step_size: of a move.
        stepsize: its former name.
    """

    step_size: float = 0.1
    stepsize: float | None = None

    def settled(self, selection: ebmkit.Selection) -> WalkConfig:
        """Takes the value of the former name."""
        return self if self.stepsize is None else replace(self, step_size=self.stepsize, stepsize=None)


NEW = Component(
    kind="sampler",
    name="new-walk",
    config=WalkConfig,
    build="nowhere:walk",
    summary="a walk",
    traits=SamplerTraits(),
    deprecated={"stepsize": "since 0.3, goes with 0.5: use step_size"},
)
OLD = replace(NEW, name="old-walk", deprecated={**NEW.deprecated, "": GOES})
RECIPE = '[energy]\nuse = "mlp"\n[data]\nuse = "toy"\n[[objective]]\nuse = "cd"\n[[sampler]]\n'


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Core, and a plugin that has renamed a part and a setting."""
    monkeypatch.setenv("EBMKIT_PLUGINS", "")
    monkeypatch.setattr("ebmkit.plugins.host._host", None)
    from ebmkit.plugins.host import host

    for component in (NEW, OLD):
        host().register(component)
    return host()


def resolved(host: Host, sampler: str) -> Resolution:
    return resolve(from_toml(RECIPE + sampler), host)


def test_a_former_part_and_a_former_setting_work_on_and_say_so(host: Host) -> None:
    fresh = resolved(host, 'use = "new-walk"\nstep_size = 0.5\n')
    former = resolved(host, 'use = "old-walk"\nstepsize = 0.5\n')
    assert [part.settings for part in former.recipe.parts["sampler"]] == [{"step_size": 0.5}]
    assert former.recipe.parts["sampler"][0].settings == fresh.recipe.parts["sampler"][0].settings
    said = [note for note in former.notes if "deprecated" in note]
    assert said == [
        f"sampler old-walk is deprecated: {GOES}",
        "sampler old-walk: stepsize is deprecated: since 0.3, goes with 0.5: use step_size",
    ]
    assert not [note for note in fresh.notes if "deprecated" in note]


def test_the_run_of_a_former_part_still_loads(host: Host) -> None:
    kept = to_toml(resolved(host, 'use = "old-walk"\nstepsize = 0.5\n').recipe)
    again = resolve(from_toml(kept), host)
    assert to_toml(again.recipe) == kept
    assert [note for note in again.notes if "deprecated" in note] == [f"sampler old-walk is deprecated: {GOES}"]


def test_show_says_what_will_go(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "old-walk"]) == 0
    said = capsys.readouterr().out
    assert f"  deprecated: {GOES}" in said
    assert "  stepsize deprecated: since 0.3, goes with 0.5: use step_size" in said


@pytest.mark.parametrize(
    ("deprecated", "said"),
    [
        ({"speed": "gone"}, "no such setting"),
        ("gone", "is a mapping"),
        ({"": 3}, "is a mapping"),
        ({"": ""}, "mapping"),
    ],
)
def test_a_declaration_that_says_nonsense_is_refused(deprecated: object, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        replace(NEW, config=NoConfig, deprecated=deprecated)


def test_a_former_python_name_is_the_new_one_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ebmkit._FORMER, "draw_samples", ("sample", "0.5"))
    with pytest.warns(
        DeprecationWarning, match=r"ebmkit.draw_samples is called ebmkit.sample now.*goes with 0.5"
    ) as told:
        assert ebmkit.draw_samples is ebmkit.sample  # type: ignore[attr-defined]
    assert told[0].filename == __file__
    with pytest.warns(DeprecationWarning):
        from ebmkit import draw_samples  # type: ignore[attr-defined]  # noqa: F401
    assert "draw_samples" not in ebmkit.__all__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ebmkit.sample


def test_nothing_is_kept_that_nobody_ever_had() -> None:
    if ebmkit.__version__.startswith("0.1."):  # the first release has no former names
        assert not ebmkit._FORMER
        from ebmkit.builtin import ebmkit_components

        assert not [component.name for component in ebmkit_components() if component.deprecated]
