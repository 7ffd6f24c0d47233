"""The top of the page: each run in one card, with its state, its headline figures and its newest picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from math import isfinite, sqrt

from ebmkit.errors import EbmkitError
from ebmkit.evaluation.report.content import RunContent
from ebmkit.evaluation.report.images import embedded, from_file, image_grid
from ebmkit.evaluation.report.markup import Content, Markup, tag
from ebmkit.evaluation.report.numbers import count, duration, said, with_error
from ebmkit.evaluation.report.tables import facts
from ebmkit.plugins.host import host
from ebmkit.protocols.metric import Estimate
from ebmkit.recipes.naming import data_name
from ebmkit.recipes.recipe import Recipe

HERO = 16
"""Fresh chains in the picture of a card, at most."""
N_FIGURES = 4
"""Numbers of the newest evaluation in a card, at most."""

Fact = tuple[str, Content, Content]


def overview(runs: Sequence[RunContent]) -> Markup:
    """Returns one card a run."""
    cards = [_card(run, alone=len(runs) == 1) for run in runs]
    return cards[0] if len(runs) == 1 else tag("div", cards, class_="runs")


def state(run: RunContent) -> tuple[str, str]:
    """Returns how a run stands, as "good", "warn" or "stop", and in words."""
    ends = [finding for finding in run.alarms if finding.get("kind") in ("stop", "rollback")]
    stops = [finding for finding in ends[-1:] if finding["kind"] == "stop"]
    if stops and stops[-1]["step"] >= run.steps:
        return "stop", f"Stopped by the alarm {stops[-1].get('alarm')} at step {run.steps:,}"
    if not run.steps:
        return "warn", "No step of it is logged yet"
    if run.planned is not None and run.steps >= run.planned:
        return "good", f"Finished: {run.steps:,} steps"
    asked = f" of {run.planned:,}" if run.planned is not None else ""
    before = "" if run.checkpoints else ", before its first checkpoint"
    return "warn", f"At step {run.steps:,}{asked}{before}: still training, or interrupted"


def parts_in_short(run: RunContent) -> str:
    """Returns what a run is made of: "resnet on fashion-mini, augment + sgld, cd + clel"."""
    if run.recipe is None:
        return "its recipe cannot be read"
    names = {table: " + ".join(part.use for part in parts) for table, parts in run.recipe.parts.items()}
    energy = f"{names.get('energy', 'no energy')} on {_data(run.recipe) or names.get('data', 'no data')}"
    return ", ".join([energy, *(names[table] for table in ("sampler", "objective") if table in names)])


def _data(recipe: Recipe) -> str:
    """Returns what `--data` calls the data set, "" where no installed plugin gives it."""
    with suppress(EbmkitError, KeyError):
        return data_name(recipe, host())
    return ""


def _card(run: RunContent, *, alone: bool) -> Markup:
    mood, words = state(run)
    told = tag(
        "div",
        None if alone else tag("h3", run.name),
        tag("div", parts_in_short(run), class_="soft"),
        tag("div", words, class_=f"state {mood}"),
        facts(_facts(run)),
    )
    return tag("article", tag("div", told, _hero(run), class_="run"), class_="card")


def _hero(run: RunContent) -> Markup | None:
    drawn = run.drawn
    if drawn is not None and drawn.x is not None:
        picture = image_grid(drawn.x[:HERO], drawn.value_range)
        if picture is not None:
            caption = f"{count(min(HERO, len(drawn.x)), 'fresh chain')} of step {drawn.step:,}: from noise, unselected."
            return tag("figure", embedded(picture, caption, pixelated=True), tag("figcaption", caption))
    for step, path in reversed(run.pictures.get("step", ())):
        picture = from_file(path, 560)
        if picture is not None:
            caption = f"Chains of training, step {step:,}."
            wide = "plane" if picture.width > 1.3 * picture.height else None
            return tag("figure", embedded(picture, caption), tag("figcaption", caption), class_=wide)
    return None


def _facts(run: RunContent) -> Iterator[Fact]:
    yield "Training steps", said(run.steps), f"of {run.planned:,}" if run.planned is not None else None
    if run.recipe is not None and run.recipe.stages:
        yield "Stages", *_stages(run.recipe)
    if run.seconds:
        spent = max(run.seconds.values())
        rate = f"{said(max(run.seconds) / spent)} steps/s" if spent > 0 else None
        yield "Training time", duration(spent), rate
    yield from _device(run)
    if run.drawn is not None:
        yield "Parameters", said(run.drawn.n_parameters), "of the energy"
    yield from _tail(run)
    yield "Alarms", *_alarms(run)
    yield from islice(_measured(run), N_FIGURES)


def _stages(recipe: Recipe) -> tuple[Content, Content]:
    """Returns the number of stages, and the step at which each begins."""
    first, begins = 1, list[str]()
    for stage in recipe.stages:
        begins.append(f"{stage.name} from step {first:,}")
        first += stage.steps
    return said(len(begins)), ", ".join(begins)


def _device(run: RunContent) -> Iterator[Fact]:
    device, threads = run.environment.get("device"), run.environment.get("threads")
    if device:
        on_cpu = device == "cpu" and isinstance(threads, int)
        name = str(run.environment.get("device_name", ""))
        yield "Device", str(device), f"{name}, {count(threads or 0, 'thread')}" if on_cpu else name


def _tail(run: RunContent) -> Iterator[Fact]:
    """Yields the gap and the acceptance of the last tenth of the logged steps."""
    last = run.metrics[-max(1, len(run.metrics) // 10) :] if run.metrics else []
    remark = f"mean of the last {count(len(last), 'logged step')}"
    for key, name in (("gap", "Gap E⁺ − E⁻"), ("chain_accept_rate", "Acceptance")):
        values = [v for row in last if isinstance(v := row.get(key), (int, float))]
        finite = [v for v in values if isfinite(v)]
        if values and not finite:
            yield name, "not finite", remark
        elif finite:
            mean = sum(finite) / len(finite)
            spread = sqrt(sum((v - mean) ** 2 for v in finite) / len(finite))
            shown = said(mean, 2 if abs(mean) < spread else 3)
            never = "nothing was rejected" if key != "gap" and set(finite) == {1.0} else remark
            yield name, shown, f"{remark}; s.d. {said(spread, 2)}" if key == "gap" and len(finite) > 1 else never


def _alarms(run: RunContent) -> tuple[Content, Content]:
    warnings = sum(finding.get("kind") == "warning" for finding in run.alarms)
    stops = sum(finding.get("kind") == "stop" for finding in run.alarms)
    backs = sum(finding.get("kind") == "rollback" for finding in run.alarms)
    if run.recipe is not None and run.recipe.tables.get("run", {}).get("alarms") is False:
        return "off", "run.alarms = false"
    told = [count(n, word) for n, word in ((stops, "stop"), (warnings, "warning"), (backs, "rollback")) if n]
    return (", ".join(told), "see below") if told else ("none", None)


def _measured(run: RunContent) -> Iterator[Fact]:
    if run.latest is None:
        return
    for judged in run.latest.found.metrics:
        first = next((entry for entry in judged.estimates.items() if ": " not in entry[0]), None)
        if first is not None:
            key, estimate = first
            yield key if judged.name in key else f"{judged.name}: {key}", *_estimate(estimate)


def _estimate(estimate: Estimate) -> tuple[Content, Content]:
    value = with_error(estimate.value, estimate.error).replace(" ± ", "\u00a0±\u00a0")
    better = f"{estimate.better} is better, " if estimate.better else ""
    return f"{value}{f' {estimate.unit}' if estimate.unit else ''}", f"{better}n\u00a0=\u00a0{estimate.n:,}"
