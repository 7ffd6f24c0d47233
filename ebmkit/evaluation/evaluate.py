"""The one path of every number: metrics judge a model, whether it was loaded or is being trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ebmkit.assembly.build import build_part
from ebmkit.assembly.given import asked_parts
from ebmkit.display.doing import doing
from ebmkit.errors import EbmkitError, RecipeError
from ebmkit.evaluation.needs import check_metrics, usual_metrics
from ebmkit.evaluation.promises import measured_by
from ebmkit.evaluation.record import Evaluation, Judgement, judgement
from ebmkit.evaluation.run_data import data_given
from ebmkit.evaluation.subject import ModelSubject
from ebmkit.plugins.host import host
from ebmkit.protocols.dataset import Dataset
from ebmkit.protocols.metric import Metric
from ebmkit.recipes.declared import declaration_of
from ebmkit.recipes.recipe import Part
from ebmkit.recipes.settings import given as given_settings
from ebmkit.recipes.settings import validated
from ebmkit.recipes.tables import EvalConfig
from ebmkit.sampling.generate import Generated
from ebmkit.sampling.model import Model
from ebmkit.sampling.named import with_named_sampler

PACKAGES = ("ebmkit-core", "torch", "numpy", "torchmetrics")

OF_CHAINS = ("method", "moves", "denoise", "sampler", "transitions", "plain_transitions", "visits")

Told = Callable[[Judgement], None]


def judge(
    model: Model,
    parts: Sequence[Part],
    config: EvalConfig,
    *,
    dataset: Dataset | None = None,
    told: Told | None = None,
) -> Evaluation:
    """Returns the numbers of some metrics.

    Args:
        model: with the weights that are judged.
        parts: the metrics with their settings.
        config: `[eval]`.
        dataset: of the run, where it has been built.
        told: is told of each metric once it is there.

    Raises:
        RecipeError, CapabilityError: a metric is unknown or cannot judge this model; nothing has been sampled.
        EbmkitError: the only metric that was asked for has no numbers.
    """
    check_metrics(model, tuple(parts), dataset)
    begun = time.monotonic()
    subject = ModelSubject(model=model, config=config, dataset=dataset)
    found, failures = list[Judgement](), dict[str, str]()
    for part in parts:
        try:
            found.append(_judged(part, subject))
        except EbmkitError as error:
            if len(parts) == 1:
                raise
            failures[part.use] = str(error)
            continue
        if told is not None:
            told(found[-1])
    return Evaluation(
        step=model.step,
        seed=subject.seed,
        n=subject.n,
        n_data=subject.n_data,
        weights=model.weights,
        sampling=_sampling_of(subject),
        metrics=tuple(found),
        failures=failures,
        notes=(*_overridden(model, config), *subject.notes),
        seconds=time.monotonic() - begun,
        versions=_versions(),
    )


def evaluate(model: Any, metrics: object = None, *, data: Any = None, **settings: Any) -> Evaluation:
    """Returns the numbers of some metrics, each with its error; `print` them.

    Args:
        model: a model or a run.
        metrics: names, as in "fd+ood", settings as objects, metrics, or a list of these; unset, those of its recipe,
            else the usual ones for such data.
        data: of the run, as `ebmkit.fit` takes them, where its recipe cannot build them.
        **settings: of `[eval]`, as n=1000, n_data=5000, seed=0, transitions=20.

    Raises:
        RecipeError, CapabilityError: a metric is unknown or cannot judge this model; nothing has been sampled.
        DataError: the data are of another shape.
        EbmkitError: the only metric that was asked for has no numbers.
    """
    judged: Model = getattr(model, "model", model)
    if not isinstance(judged, Model):
        raise RecipeError(f"A model or a run is evaluated, found {type(model).__name__}. ebmkit.load(DIR) gives a run.")
    if settings.get("weights", judged.weights) != judged.weights:
        raise RecipeError(f"The {settings['weights']} weights were asked for. {_other_weights(judged)}")
    config = validated(EvalConfig, {**judged.recipe.tables.get("eval", {}), **settings}, "[eval]")
    dataset = None if data is None else data_given(judged, data)
    return judge(judged, metrics_of(judged, metrics), config, dataset=dataset)


def metrics_of(model: Model, asked: object = None) -> tuple[Part, ...]:
    """Returns the metrics that are asked for, else those of the recipe, else the usual ones.

    A metric of the recipe that is asked for by name keeps its settings; where the recipe has it twice, both are.

    Raises:
        RecipeError: an unknown name, or there is none for such data.
    """
    own = model.recipe.parts.get("metric", ())
    if asked is not None:
        found = list[Part]()
        for part in asked_parts("metric", asked, host()):
            is_bare = not part.settings and part.built is None
            found += [one for one in own if is_bare and one.use == part.use] or [part]
        return tuple(found)
    usual = own or usual_metrics(model)
    if not usual:
        raise RecipeError(f"No metric was named, and none is usual for x {list(model.data.event_shape)}. Name some.")
    return tuple(usual)


def _judged(part: Part, subject: ModelSubject) -> Judgement:
    begun = time.monotonic()
    subject.task = f"measuring {part.use}"
    doing(subject.task)
    component = declaration_of("metric", part, host())
    context = subject.model.context().replace(seed=subject.seed)
    metric = build_part("metric", part, context)
    if not isinstance(metric, Metric):
        raise RecipeError(f"Metric {part.use} has no measure(subject): it is {type(metric).__name__}.")
    measured = measured_by(part.use, metric, subject)
    config = validated(component.config, part.settings, f"[[metric]] {part.use}")
    settings = given_settings(config, f"metric {part.use}") if part.built is None else dict(part.settings)
    return judgement(part.use, settings, component.cite, measured, time.monotonic() - begun)


def _sampling_of(subject: ModelSubject) -> str:
    """Returns how the chains were made, "" where there are none."""
    made = subject.drawn
    return "" if made is None else f"{len(made.x):,} chains, {sampling_words(subject.sampled_model(), made)}"


def sampling_words(model: Model, made: Generated) -> str:
    """Returns the sampler and its cost in words."""
    named = with_named_sampler(model)
    asked = model.recipe.table("sample").sampler
    own = "+".join(part.use for part in model.recipe.parts.get("sampler", ()))
    names = asked or own or type(named.sampler).__name__
    if made.plan.walked:
        names = "annealed"
    how = f"taken {made.plan.taken()}" if made.plan.visits or made.plan.walked else made.plan.taken()[len("after ") :]
    return f"{names}, {how}, {made.n_gradients:,} gradients a sample, T = {model.temperature:g}"


def _overridden(model: Model, config: EvalConfig) -> Iterator[str]:
    """Yields the weights and the sampler settings in which the evaluation differs from the recipe."""
    if config.weights != model.weights:
        yield f"[eval] of the run names the {config.weights} weights. {_other_weights(model)}"
    usual = model.recipe.table("sample")
    for name in OF_CHAINS:
        asked = getattr(config, name)
        if asked is not None and asked != getattr(usual, name):
            says = "leaves it open" if getattr(usual, name) is None else f"says {getattr(usual, name)}"
            yield f"Chains are made with {name} = {asked}; [sample] of the run {says}."


def _other_weights(model: Model) -> str:
    """Returns which weights a model holds, and how to have others."""
    return f"This model holds the {model.weights} ones: load the run with averaged={model.weights == 'last'}."


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
