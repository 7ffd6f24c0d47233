"""A recipe: the complete configuration of a run, as TOML and as validated dataclasses."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from annotated_types import Ge, Gt, Interval, Lt
from pydantic import TypeAdapter, ValidationError

from ebmkit.errors import RecipeError, did_you_mean

LISTS = ("coordinate", "wrapper", "sampler", "objective")
SINGLES = ("data", "energy", "buffer")
KIND_OF = {"data": "dataset"}

Positive = Annotated[int, Gt(0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """`[run]`.

    Attributes:
        steps: training steps.
        batch_size: data, and chains, in a step.
        seed: of everything random in the run.
        device: any torch device, or "auto": cuda where there is one, else cpu.
        temperature: T of p ∝ exp(−E/T); unset, the resolver decides.
        precision: of the drift in sampling; "auto" is bf16 for images, fp32 otherwise.
        train_precision: of the training passes; master weights stay fp32. bf16 gradients of an energy were measured
            up to 66 % wrong where E⁺ − E⁻ cancels.
        engine: how the sampling view runs; "auto" chooses.
        ema_half_life: of the averaged weights, in images; 0 switches averaging off.
        ema_copy_steps: first steps in which the average just copies the weights.
    """

    steps: Positive = 1000
    batch_size: Positive = 64
    seed: Annotated[int, Ge(0)] = 0
    device: str = "auto"
    temperature: Annotated[float, Gt(0)] | None = None
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    train_precision: Literal["fp32", "bf16"] = "fp32"
    engine: Literal["auto", "eager"] = "auto"
    ema_half_life: Annotated[float, Ge(0)] = 20_000.0
    ema_copy_steps: Annotated[int, Ge(0)] = 312


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """`[optim.OWNER]`: one optimiser for the parameters of one part.

    Attributes:
        use: the optimiser.
        lr: learning rate after warm-up.
        betas: of Adam and AdamW.
        momentum: of SGD.
        weight_decay: as the optimiser defines it.
        warmup: steps of linear warm-up.
        schedule: after warm-up, until the last step.
        clip: bound on the gradient norm of this owner; 0 for none.
    """

    use: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Annotated[float, Gt(0)] = 1e-4
    betas: tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]] = (0.0, 0.999)
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0
    warmup: Annotated[int, Ge(0)] = 0
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    clip: Annotated[float, Ge(0)] = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointConfig:
    """`[checkpoint]`: every so many steps, and at the last; only the newest `keep` stay."""

    every: Positive = 500
    keep: Positive = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class LogConfig:
    """`[log]`: every so many steps, and at the last; TensorBoard beside `metrics.jsonl` if asked."""

    every: Positive = 10
    tensorboard: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplesConfig:
    """`[samples]`: a picture of the chains every so many steps, and at the last."""

    every: Positive = 250
    n: Positive = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """`[sample]`: how fresh chains are made after training.

    Attributes:
        rounds: transitions of each chain.
        batch_size: chains at a time.
    """

    rounds: Positive = 10
    batch_size: Positive = 250


TABLES: Mapping[str, type] = {
    "run": RunConfig,
    "checkpoint": CheckpointConfig,
    "log": LogConfig,
    "samples": SamplesConfig,
    "sample": SampleConfig,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One chosen part: its name and the settings of its config dataclass."""

    use: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a run is made of. Before resolution it holds what was asked; afterwards, everything.

    Attributes:
        parts: table name → chosen parts, in order. Tables: data, energy, buffer, coordinate, wrapper, sampler, objective.
        tables: settings of `[run]`, `[checkpoint]`, `[log]`, `[samples]`, `[sample]`.
        optim: owner → settings.
        overrides: (dotted path, value) of every `--set`.
        resolved: the recipe is complete; it is checked, never added to.
    """

    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    optim: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: tuple[tuple[str, Any], ...] = ()
    resolved: bool = False

    def part(self, table: str) -> Part:
        """Returns the one part of a table that holds one."""
        return self.parts[table][0]

    def table(self, name: str) -> Any:
        """Returns a table as its validated dataclass."""
        return validated(TABLES[name], self.tables.get(name, {}), f"[{name}]")

    def owner(self, name: str) -> OptimConfig:
        """Returns the validated optimiser settings of an owner of parameters."""
        config: OptimConfig = validated(OptimConfig, self.optim.get(name, {}), f"[optim.{name}]")
        return config

    def with_part(self, table: str, *parts: Part) -> Recipe:
        """Returns the recipe with the parts of one table replaced."""
        return _replace(self, parts={**self.parts, table: parts})

    def with_table(self, name: str, **settings: Any) -> Recipe:
        """Returns the recipe with some settings of one table changed."""
        return _replace(self, tables={**self.tables, name: {**self.tables.get(name, {}), **settings}})

    def with_overrides(self, overrides: Iterable[tuple[str, Any]]) -> Recipe:
        """Returns the recipe with more `--set`s."""
        return _replace(self, overrides=(*self.overrides, *overrides))


def _replace(recipe: Recipe, **changes: Any) -> Recipe:
    values = {f.name: getattr(recipe, f.name) for f in fields(Recipe)}
    return Recipe(**{**values, **changes})


def from_toml(text: str, origin: str = "recipe") -> Recipe:
    """Returns the recipe that a TOML text holds; names of parts and settings are checked when it is resolved.

    Raises:
        RecipeError: it is not TOML, or has a table that no recipe has.

    >>> recipe = from_toml('[energy]\\nuse = "mlp"\\n[[objective]]\\nuse = "cd"\\n')
    >>> recipe.part("energy").use, [p.use for p in recipe.parts["objective"]]
    ('mlp', ['cd'])
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{origin} is not valid TOML: {error}") from error
    known = [*SINGLES, *LISTS, *TABLES, "optim", "resolved"]
    for key in raw:
        if key not in known:
            raise RecipeError(
                f"{origin}: there is no table '{key}'.{did_you_mean(key, known)} Known: {', '.join(known)}."
            )
    parts = {t: tuple(_part(e, t, origin) for e in _entries(raw[t], t, origin)) for t in (*SINGLES, *LISTS) if t in raw}
    tables = {name: _table(raw[name], f"[{name}]", origin) for name in TABLES if name in raw}
    optim = {k: _table(v, f"[optim.{k}]", origin) for k, v in _table(raw.get("optim", {}), "[optim]", origin).items()}
    return Recipe(parts=parts, tables=tables, optim=optim, resolved=raw.get("resolved") is True)


def to_toml(recipe: Recipe) -> str:
    """Returns the recipe as TOML; `from_toml` gives an equal recipe back."""
    raw: dict[str, Any] = {"resolved": True} if recipe.resolved else {}
    for name in TABLES:
        if name in recipe.tables:
            raw[name] = _plain(recipe.tables[name])
    for table, parts in sorted(recipe.parts.items(), key=lambda item: [*SINGLES, *LISTS].index(item[0])):
        entries = [{"use": part.use, **_plain(part.settings)} for part in parts]
        if entries:
            raw[table] = entries if table in LISTS else entries[0]
    if recipe.optim:
        raw["optim"] = {owner: _plain(settings) for owner, settings in recipe.optim.items()}
    return tomli_w.dumps(raw)


def parse_override(text: str) -> tuple[str, Any]:
    """Returns (path, value) of `--set path=value`; the value is read as TOML, else taken as text.

    >>> parse_override("sampler.moves=60"), parse_override("data.root=/tmp")
    (('sampler.moves', 60), ('data.root', '/tmp'))
    """
    path, equals, value = text.partition("=")
    if not equals or "." not in path:
        raise RecipeError(f"--set {text}: write table.setting=value, as in sampler.moves=60.")
    try:
        return path.strip(), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return path.strip(), value.strip()


def validated(config: type, settings: Mapping[str, Any], where: str) -> Any:
    """Returns an instance of a config dataclass.

    Raises:
        RecipeError: an unknown setting, a wrong type or a value out of range, naming where and what.
    """
    names = [f.name for f in fields(config)]
    for key in settings:
        if key not in names:
            raise RecipeError(
                f"{where} has no setting '{key}'.{did_you_mean(key, names)} Settings: {', '.join(names) or 'none'}."
            )
    try:
        return _adapter(config).validate_python(dict(settings))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}, found {e['input']!r}" for e in error.errors()
        )
        raise RecipeError(f"{where}: {problems}.") from error
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from error


def settings_of(config: Any) -> dict[str, Any]:
    """Returns a config's fields as plain TOML values; unset (None) fields are left out."""
    return _plain({f.name: getattr(config, f.name) for f in fields(config)})


def read_recipe(path: Path) -> Recipe:
    """Returns the recipe of a file; raises RecipeError where it cannot be read."""
    try:
        return from_toml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}") from error


@cache
def _adapter(config: type) -> TypeAdapter[Any]:
    return TypeAdapter(config)


def _entries(value: Any, table: str, origin: str) -> list[Any]:
    if isinstance(value, list) and table in SINGLES:
        raise RecipeError(f"{origin}: [[{table}]] is a list, but a run has one {table}: write [{table}].")
    return value if isinstance(value, list) else [value]


def _part(entry: Any, table: str, origin: str) -> Part:
    settings = dict(_table(entry, f"[{table}]", origin))
    use = settings.pop("use", None)
    if not isinstance(use, str):
        raise RecipeError(f'{origin}: [{table}] needs use = "NAME".')
    return Part(use, settings)


def _table(value: Any, where: str, origin: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{origin}: {where} must be a table, found {value!r}.")
    return value


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in settings.items() if value is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain_value(v) for v in value]
    return _plain(value) if isinstance(value, Mapping) else value
