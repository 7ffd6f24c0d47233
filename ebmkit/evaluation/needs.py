"""What metrics need of a model, and what to say where it is missing: told before anything is sampled."""

from __future__ import annotations

from collections.abc import Iterator

from ebmkit.assembly.build import build_dataset
from ebmkit.data.spec import DataSpec
from ebmkit.errors import CapabilityError, EbmkitError
from ebmkit.plugins.component import Need
from ebmkit.plugins.host import Host, host
from ebmkit.protocols.dataset import Dataset
from ebmkit.recipes.declared import declaration_of
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.resolver.choice import settled
from ebmkit.recipes.resolver.draft import Draft
from ebmkit.recipes.settings import validated
from ebmkit.sampling.given import givable
from ebmkit.sampling.model import Model

MEANINGS = {
    "data.images": "images [1 or 3, height, width]",
    "data.plane": "points of the plane [2]",
    "data.labels": "labels",
    "data.test": "data with a test part",
    "data.real": "real-valued x",
    "point.level": "a noise level",
    "point.noised": "a noise level",
    "energy.latent": "an energy with a latent",
    "objective.encoder": "an objective with an encoder",
    "given.class": "samples of a class",
}
"""What the words mean of which metrics speak."""


def words_of(model: Model, dataset: Dataset | None = None) -> frozenset[str]:
    """Returns the words that the parts of a model and its data give."""
    draft = Draft(model.recipe, host(), tuple(model.data.event_shape))
    draft.assume(draft.found())
    return draft.capabilities() | _words_of_data(model.data) | _words_of_parts(model, dataset) | _words_of_given(model)


def check_metrics(model: Model, parts: tuple[Part, ...], dataset: Dataset | None = None) -> None:
    """Raises what is wrong where a metric cannot judge this model; its data set is built where it is not given.

    Raises:
        RecipeError: an unknown metric or setting.
        CapabilityError: it needs what the model has not, or refuses it.
    """
    words = words_of(model, dataset)
    problems = [reason for part in parts for reason in why_not(model, part, words, host())]
    if problems:
        raise CapabilityError(" ".join(problems))


def why_not(model: Model, part: Part, words: frozenset[str], where: Host) -> Iterator[str]:
    """Yields why a metric cannot judge a model that has these words."""
    component = declaration_of("metric", part, where)
    selection = model.context().selection()
    config = settled(validated(component.config, part.settings, f"[[metric]] {part.use}"), selection)
    for need in component.ask("needs", config, selection):
        if need.word not in words:
            yield f"Metric {part.use} needs {_meaning(need)}; {model.name} has none of it.{_advice(need)}"
    refusal = component.objection("refuse", config, selection)
    if refusal:
        yield f"Metric {part.use} cannot judge {model.name}: {refusal}"


def usual_metrics(model: Model) -> tuple[Part, ...]:
    """Returns the metrics of a model that names none: those of `USUAL` that can judge it."""
    words, where = words_of(model), host()
    known = [Part(name) for name in USUAL if name in where.names("metric")]
    return tuple(part for part in known if not list(why_not(model, part, words, where)))


USUAL = ("fd", "classes", "density-2d", "ood")


def _words_of_data(data: DataSpec) -> frozenset[str]:
    shape = tuple(data.event_shape)
    found = {
        "data.images": len(shape) == 3 and shape[0] in (1, 3) and data.x_values == "real",
        "data.plane": shape == (2,) and data.x_values == "real",
        "data.labels": data.n_classes > 0,
        "data.real": data.x_values == "real",
    }
    return frozenset(word for word, is_given in found.items() if is_given)


def _words_of_given(model: Model) -> frozenset[str]:
    """Returns "given.class" where samples can be given a class, as a label or as the latent of one."""
    return frozenset({"given.class"} if {"label", "latent"} & set(givable(model)) else ())


def _words_of_parts(model: Model, dataset: Dataset | None) -> frozenset[str]:
    """Returns "data.test" where there is a test part; nothing where the data cannot be had, which is told later."""
    try:
        whole = build_dataset(model.recipe.part("data"), model.device) if dataset is None else dataset
        whole.split("test")
    except EbmkitError:
        return frozenset()
    return frozenset({"data.test"})


def _meaning(need: Need) -> str:
    meaning = MEANINGS.get(need.word)
    return need.word if meaning is None else f"{meaning} ({need.word})"


def _advice(need: Need) -> str:
    return f" {need.otherwise}." if need.otherwise else ""
