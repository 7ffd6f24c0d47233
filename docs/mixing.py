"""Every mix of the papers: what is asked, what it resolves to, and why some are refused. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ebmkit.errors import CapabilityError
from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import Part, Recipe, from_mapping
from ebmkit.recipes.resolver.resolve import resolve

POINTS = ("plain", "level")
OBJECTIVES = ("cd", "clel", "improved-cd", "clel+improved-cd")
SAMPLERS = ("sgld", "mala", "hmc", "mgms")
BUFFERS = ("replay", "reservoir", "none", "data")
ENERGIES = ("mlp", "resnet")
LATER = (
    "jem", "jem+improved-cd", "jem+clel", "energy-discrepancy", "energy-discrepancy+jem", "energy-discrepancy+clel",
    "energy-discrepancy+improved-cd", "energy-discrepancy+level-classification",
)  # fmt: skip
"""Objectives of further papers, alone and beside those of the three; their samplers and buffers are left open."""
LADDERS = {"diffusion-recovery": (("sgld", "mala", "hmc"), ("anchored", "replay", "none", "data"))}
"""Objectives with noise levels of their own, and the samplers and buffers that they are combined with."""

SHAPE = (1, 28, 28)
SMALL = {
    "mlp": {"widths": [16], "features": 8},
    "resnet": {"widths": [4, 4], "hidden": 8, "features": 8},
    "clel": {"width": 4},
    "improved-cd": {"reference": 8, "fill": 0},
    "energy-discrepancy": {"n_perturbed": 2},
    "level": {"noise_levels": 2},
    "recovery": {"conditioning": 8},
    "level-conditioned": {"conditioning": 8},
    "latent-head": {"latent": 4, "hidden": 16},
    "replay": {"capacity": 24},
    "reservoir": {"capacity": 24},
    "sgld": {"moves": 2},
    "mala": {"moves": 2},
    "hmc": {"moves": 1, "n_leapfrog": 2},
    "mgms": {"moves": 2},
}
"""Settings under which every part of a mix is tiny; the verdict depends on none of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """One combination, as a user names it; "" leaves a part open."""

    point: str
    objective: str
    sampler: str
    buffer: str
    energy: str

    def __str__(self) -> str:
        return "-".join(filter(None, (self.point, self.objective, self.sampler, self.buffer, self.energy)))

    @property
    def asked(self) -> Recipe:
        """What the user asked for, with tiny parts."""
        parts = {
            "data": (Part("fashion-mini", {"limit": 32}),),
            "energy": (_part(self.energy),),
            "sampler": tuple(map(_part, filter(None, [self.sampler]))),
            "buffer": tuple(map(_part, filter(None, [self.buffer]))),
            "objective": tuple(map(_part, self.objective.split("+"))),
        }
        if self.point == "level":
            parts["coordinate"] = (_part("level"),)
        run = {"run": {"steps": 3, "batch_size": 8, "precision": "fp32", "engine": "eager"}}
        return Recipe(parts=parts, tables=from_mapping(run).tables)

    def resolved(self, host: Host) -> Recipe:
        """Returns the complete recipe; raises CapabilityError where the mix is refused."""
        return resolve(self.asked, host, SHAPE).recipe


MIXES = tuple(
    Mix(point=p, objective=o, sampler=s, buffer=b, energy=e)
    for p, o, s, b, e in product(POINTS, OBJECTIVES, SAMPLERS, BUFFERS, ENERGIES)
) + tuple(
    Mix(point="plain", objective=o, sampler=s, buffer=b, energy=e)
    for o, (samplers, buffers) in LADDERS.items()
    for s, b, e in product(samplers, buffers, ENERGIES)
)

BESIDE = tuple(
    Mix(point=p, objective=o, sampler=s, buffer="", energy="resnet")
    for p, s, o in product(POINTS, ("", "mgms"), LATER)
    if not (p == "level" and s)
)


def reason(mix: Mix) -> str:
    """Returns the mathematical reason for which a mix is refused, "" where it is to train."""
    parts = mix.objective.split("+")
    if "jem" in parts and (mix.point == "level" or mix.sampler == "mgms"):
        return "E = −log Σ exp f of the logits takes the place of the energies of all levels"
    if {"jem", "clel"} <= {*parts}:
        return "E = −log Σ exp f of the logits takes the place of ½‖f‖², on which the latents rest"
    if "improved-cd" in mix.objective and mix.buffer in ("none", "data"):
        return "an entropy from nearest neighbours needs other samples of the model, and this buffer keeps none"
    return ""


def verdict(mix: Mix, host: Host) -> str:
    """Returns "" where a mix resolves, else the message with which it is refused."""
    try:
        mix.resolved(host)
    except CapabilityError as error:
        return str(error)
    return ""


def page(host: Host) -> str:
    """Returns the matrix as Markdown: a table for each pair of point and objective."""
    papers = [_section(host, p, o, SAMPLERS, BUFFERS) for p in POINTS for o in OBJECTIVES]
    ladders = [_section(host, "plain", o, *parts) for o, parts in LADDERS.items()]
    return "\n".join([*papers, *ladders, _further(host)])


def _further(host: Host) -> str:
    lines = ["### Further papers\n", "| asked | resolves to |", "|---|---|"]
    for mix in BESIDE:
        asked = f"{mix.point}, `{mix.objective}`" + (f", `{mix.sampler}`" if mix.sampler else "")
        lines.append(f"| {asked} | {f'refused: {reason(mix)}' if verdict(mix, host) else _described(mix, host)} |")
    return "\n".join(lines) + "\n"


def _section(host: Host, point: str, objective: str, samplers: Sequence[str], buffers: Sequence[str]) -> str:
    heads = (f"| sampler | {' | '.join(buffers)} | resolves to |", "|" + "---|" * (len(buffers) + 2))
    lines = [f"### {point}, `{objective}`\n", *heads]
    for sampler in samplers:
        cells = [_cell(host, point, objective, sampler, buffer) for buffer in buffers]
        lines.append(f"| `{sampler}` | {' | '.join(cells)} | {_meaning(host, point, objective, sampler)} |")
    return "\n".join(lines) + "\n"


def _cell(host: Host, point: str, objective: str, sampler: str, buffer: str) -> str:
    mixes = [Mix(point=point, objective=objective, sampler=sampler, buffer=buffer, energy=e) for e in ENERGIES]
    refused = {mix.energy for mix in mixes if verdict(mix, host)}
    if not refused:
        return "trains"
    return "refused" if len(refused) == len(ENERGIES) else f"refused with {', '.join(sorted(refused))}"


def _meaning(host: Host, point: str, objective: str, sampler: str) -> str:
    mix = Mix(point=point, objective=objective, sampler=sampler, buffer="replay", energy="resnet")
    return "–" if verdict(mix, host) else _described(mix, host)


def _described(mix: Mix, host: Host) -> str:
    recipe = mix.resolved(host)
    chain = " → ".join(_names(recipe, "sampler")) or "no chains"
    around = " in ".join([mix.energy, *_names(recipe, "wrapper")])
    losses = " + ".join(_names(recipe, "objective"))
    coordinates = ", ".join(_names(recipe, "coordinate"))
    temperature = f"T = {recipe.table('run').temperature:g}"
    return "; ".join(filter(None, [chain, around, losses, coordinates, temperature]))


def _names(recipe: Recipe, table: str) -> Iterator[str]:
    return (part.use for part in recipe.parts.get(table, ()))


def _part(name: str) -> Part:
    return Part(name, SMALL.get(name, {}))
