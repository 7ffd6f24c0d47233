"""A declaration is checked when it is made, and its functions when they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from ebmkit.errors import CapabilityError, PluginError
from ebmkit.plugins.component import Component, Include, Need, NoConfig, Selection
from ebmkit.plugins.context import BuildContext
from ebmkit.protocols.traits import SamplerTraits


@dataclass(frozen=True, kw_only=True)
class Config:
    moves: int = 1


@dataclass
class Thawed:
    moves: int = 1


@dataclass(frozen=True, kw_only=True)
class Shadowing:
    use: str = ""


def part(**changes: Any) -> Component:
    given = {"kind": "sampler", "name": "walk", "build": "nowhere:Walk", "summary": "", **changes}
    return Component(**{"traits": SamplerTraits() if given["kind"] == "sampler" else None, **given})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "smapler"}, "kind is 'smapler'"),
        ({"name": "my.walk"}, "found 'my.walk'"),
        ({"name": "a+b"}, "found 'a+b'"),
        ({"name": "3"}, "not a number"),
        ({"name": ""}, "found ''"),
        ({"name": 3}, "found 3"),
        ({"build": "nowhere"}, "'package.module:callable', found 'nowhere'"),
        ({"build": ":Walk"}, "found ':Walk'"),
        ({"build": Config}, "build is"),
        ({"benchmarks": "nowhere"}, "benchmarks is 'package.module:callable', found 'nowhere'"),
        ({"kind": "objective", "name": "tuning"}, "no objective can be called 'tuning'"),
        ({"config": Thawed}, "frozen dataclass"),
        ({"config": Config()}, "frozen dataclass"),
        ({"config": dict}, "frozen dataclass"),
        ({"config": Shadowing}, "'use'"),
        ({"needs": ("energy.latent",)}, "needs must be a tuple of Need"),
        ({"needs": Need("energy.latent")}, "needs must be a tuple of Need"),
        ({"gives": "energy.latent"}, "gives must be a tuple of str"),
        ({"includes": ("augment",)}, "includes must be a tuple of Include"),
        ({"hides": "energy.latent"}, "hides must be a tuple of str"),
        ({"gives": ("sampler.exact", "draws.level")}, "sampler.exact follows from a sampler's traits"),
        ({"gives": ("moves.level",)}, "moves.level follows from a sampler's traits"),
        ({"traits": None}, "a sampler needs traits"),
        ({"traits": {"x"}}, "found {'x'}"),
        ({"kind": "buffer", "traits": SamplerTraits()}, "traits are those of a sampler"),
        ({"training": "speed"}, "training is a tuple of settings"),
        ({"training": ("speed",)}, "training names 'speed', and there is no such setting"),
    ],
)
def test_a_wrong_declaration_names_what_is_wrong(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PluginError, match="Component '") as caught:
        part(**changes)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["latent-head", "mlp", "ucf_2", "3d"])
def test_names_that_a_recipe_and_an_override_can_hold(name: str) -> None:
    assert part(name=name).name == name


def test_fixed_answers_and_functions_answer_alike() -> None:
    need, include = Need("energy.latent"), Include("objective", "cd")
    fixed = part(needs=(need,), gives=("draws.level",), includes=(include,))
    asked = part(needs=lambda c, s: [need], gives=lambda c, s: ["draws.level"], includes=lambda c, s: (include,))
    for question in ("needs", "gives", "includes"):
        assert fixed.ask(question, NoConfig(), Selection()) == asked.ask(question, NoConfig(), Selection())


def test_a_sampler_gives_the_words_of_its_traits() -> None:
    fixed = part(traits=SamplerTraits(moves={"x", "level"}, adjusted=True, tail="keeps"), gives=("draws.level",))
    assert fixed.ask("gives", None, Selection()) == ("moves.level", "sampler.exact", "sampler.tail", "draws.level")
    asked = part(config=Config, traits=lambda c, s: SamplerTraits(moves={f"c{c.moves}"}, discrete=s.temperature > 1))
    assert asked.ask("gives", Config(moves=3), Selection(temperature=2.0)) == ("moves.c3", "sampler.discrete")
    with pytest.raises(PluginError, match="sampler 'walk': traits must be SamplerTraits, found 'exact'"):
        part(traits=lambda c, s: "exact").ask("gives", NoConfig(), Selection())


def test_functions_see_config_and_selection() -> None:
    seen = part(config=Config, gives=lambda c, s: (f"x.{c.moves}.{s.temperature:g}",))
    assert seen.ask("gives", Config(moves=3), Selection(temperature=2.0)) == ("sampler.unadjusted", "x.3.2")


@pytest.mark.parametrize("answer", ["energy.latent", None, ("energy.latent",), Need("energy.latent")])
def test_a_function_that_answers_something_else_is_named(answer: Any) -> None:
    with pytest.raises(PluginError, match="sampler 'walk': needs must be a tuple of Need"):
        part(needs=lambda c, s: answer).ask("needs", NoConfig(), Selection())


@pytest.mark.parametrize("question", ["needs", "gives", "includes"])
def test_a_function_that_fails_is_named(question: str) -> None:
    with pytest.raises(
        PluginError, match=rf"sampler 'walk': its {question}\(config, selection\) failed, AttributeError"
    ):
        part(**{question: lambda c, s: c.absent}).ask(question, NoConfig(), Selection())


@pytest.mark.parametrize("rule", ["skip", "refuse"])
@pytest.mark.parametrize(("answer", "said"), [(lambda c, s: "too hot", "too hot"), (lambda c, s: None, ""), (None, "")])
def test_objections(rule: str, answer: Callable[..., Any] | None, said: str) -> None:
    assert part(**{rule: answer}).objection(rule, NoConfig(), Selection()) == said


def test_a_context_names_the_coordinates_that_it_has() -> None:
    context = BuildContext(coordinates=(SimpleNamespace(name="label", noises_x=False, n_values=2, leaves_data=False),))
    assert context.coordinate("label").name == "label"
    with pytest.raises(CapabilityError, match=r"'level' is needed; the run has: label. Add --coordinate level"):
        context.coordinate("level")


@pytest.mark.parametrize("name", ["energy", "buffer", "tuning"])
def test_an_objective_cannot_take_the_name_of_another_file_of_a_checkpoint(name: str) -> None:
    with pytest.raises(PluginError, match="no objective can be called"):
        Component(kind="objective", name=name, build="a.b:c", summary="")
