"""What figures of separation say, in sentences: which value tells a set apart, which does not, and where none does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ebmkit.metrics.detection.separation import Figure

Figures = Mapping[tuple[str, str], Mapping[str, Figure]]
"""(set, score) → figures."""

CHANCE = 0.5
SIGMAS = 3.0
"""Standard errors by which an area must differ from chance, or from another, to be said to."""
USABLE = 0.9
"""Area from which a value is said to tell a set apart, and not merely to lean."""
BASELINE = "input-distance"
"""The value that needs no model: what a model's own must beat to be worth their cost."""
PLAIN = ("energy", "level-0", "energy/T")


def verdicts(figures: Figures) -> tuple[str, ...]:
    """Returns a sentence for each set on the plain energy and on the best value, and one on all sets together."""
    sets = tuple(dict.fromkeys(name for name, _ in figures))
    scores = tuple(dict.fromkeys(score for _, score in figures if score != BASELINE))
    if not scores:
        return ()
    each = (_of_set(name, {score: figures[name, score]["AUROC"] for score in scores}) for name in sets)
    baselines = (figures[name, BASELINE]["AUROC"] if (name, BASELINE) in figures else None for name in sets)
    told = tuple(text + _beside(area) for text, area in zip(each, baselines, strict=True))
    return (*told, *_why(figures, sets, scores), *_of_all(figures, sets, scores))


def _of_set(name: str, areas: Mapping[str, Figure]) -> str:
    """Returns what the areas under the ROC curve say of one set."""
    plain = next((score for score in PLAIN if score in areas), None)
    best = max(areas, key=lambda score: areas[score].value)
    said = [] if plain is None else [_of_energy(plain, name, areas[plain])]
    if best == plain:
        if len(areas) > 1 and areas[best].value >= USABLE:
            said.append("no other score does better")
        elif len(areas) > 1:
            said.append("no other score does better: nothing here detects it reliably")
    elif areas[best].value - SIGMAS * areas[best].error <= CHANCE:
        said.append(f"no score here separates {name} ({best} comes nearest, {_auroc(areas[best])})")
    else:
        strength = "" if areas[best].value >= USABLE else ", which is not reliable"
        said.append(f"the best score here is {best} ({_auroc(areas[best])}{strength})")
    return "; ".join(said) + "."


def _beside(area: Figure | None) -> str:
    """Returns what a distance without the model attains on the same set, "" where it was not asked for."""
    return "" if area is None else f" Without the model, {BASELINE} has {_auroc(area)}."


def _of_energy(plain: str, name: str, area: Figure) -> str:
    if area.value >= USABLE:
        return f"{plain} separates {name} ({_auroc(area)})"
    if area.value - SIGMAS * area.error > CHANCE:
        return f"{plain} leans the right way on {name}, and no more ({_auroc(area)})"
    below = area.value + SIGMAS * area.error < CHANCE
    where = "below chance: these data have a lower energy than held-out data" if below else "chance"
    return f"{plain} does not separate {name} ({_auroc(area)}, {where})"


def _why(figures: Figures, sets: Sequence[str], scores: Sequence[str]) -> tuple[str, ...]:
    """Returns why a plain energy fails, where it does."""
    plain = next((score for score in PLAIN if score in scores), None)
    areas = [figures[name, plain]["AUROC"] for name in sets] if plain else []
    if all(area.value - SIGMAS * area.error > CHANCE for area in areas):
        return ()
    return (
        "An unnormalised energy is shaped where training looks, at data and at chains: other data may lie as low, and "
        "then it is no detector of them.",
    )


def _of_all(figures: Figures, sets: Sequence[str], scores: Sequence[str]) -> tuple[str, ...]:
    """Returns which value does best on the set that suits it least."""
    if len(sets) < 2 or len(scores) < 2:
        return ()
    worst = {score: min(sets, key=lambda name: figures[name, score]["AUROC"].value) for score in scores}
    best = max(scores, key=lambda score: figures[worst[score], score]["AUROC"].value)
    area = figures[worst[best], best]["AUROC"]
    fails = "" if area.value - SIGMAS * area.error > CHANCE else ": no score here is a detector of all of these sets"
    bare = [figures[name, BASELINE]["AUROC"] for name in sets if (name, BASELINE) in figures]
    beside = _beside(min(bare, key=lambda figure: figure.value) if bare else None).replace(" has ", " has at worst ")
    return (
        f"Over all {len(sets)} sets {best} has the best worst case: {_auroc(area)}, on {worst[best]}{fails}.{beside} A "
        "score that is chosen by these numbers looks a little better on these sets than it will on new ones.",
    )


def _auroc(area: Figure) -> str:
    return f"AUROC {area.value:.3f} ± {area.error:.3f}"
