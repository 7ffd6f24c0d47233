"""The tables of a recipe that describe no part: settings of the run, of its optimisers and of what it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Lt, MinLen

Positive = Annotated[int, Gt(0)]
Period = Annotated[int, Interval(gt=0, lt=2**63)]
"""Steps between two events; a number beyond those of the run is never."""
Seed = Annotated[int, Interval(ge=0, lt=2**63)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """`[run]`.

    Attributes:
        steps: training steps.
        batch_size: data, and chains, in a step.
        seed: of everything random in the run.
        device: any torch device, or "auto": cuda where there is one, else cpu.
        temperature: T of p ∝ exp(−E/T); unset, the resolver decides.
        precision: of the gradient in sampling; "auto" is bf16 for images, fp32 otherwise.
        train_precision: of the training passes; master weights stay fp32. bf16 gradients of an energy were measured
            up to 66 % wrong where E⁺ − E⁻ cancels.
        engine: how the sampling view runs: "eager"; "compile", one compiled function of value and gradient; "graph", on
            CUDA, the moves of a transition captured as one graph; "auto" picks the fastest by a short measurement, and
            compiles only where the run is long enough to win back what that costs. Training alone uses it.
        chunk: chains a pass of the sampling view, 0 for all at once; "auto" measures it for batches of 8,192 or more.
        ema_half_life: of the averaged weights, in images; 0 switches averaging off.
        ema_copy_steps: first steps in which the average just copies the weights.
        checked_steps: first steps that are rehearsed on copies, to name a part that breaks a promise; 0 for none. No
            number of the run depends on it.
        alarms: warn of signs that the run goes wrong, and stop it where they leave no doubt; see docs/alarms.md.
        rollbacks: times that, instead of stopping, the run goes back to the last checkpoint that 50 steps without a
            sign followed, with another seed and smaller learning rates; 0 for never. Recorded in `alarms.jsonl` and as
            the metric "rollbacks".
        rollback_rate: factor on every learning rate at each rollback.
        fully_shard: split the energy's weights, with their gradients, optimiser states and averages, over the processes
            of the run (torch's `fully_shard`), for an energy that does not fit one GPU else; see docs/scaling.md. One
            process has nothing to split.
        init: directory of another run, or "pretrained:NAME": the weights and averages of its last whole checkpoint are
            the start, and `ema_copy_steps` does not apply. One of another architecture is refused.
        init_fresh: wrappers that the other run lacks: their parameters begin afresh.
        max_minutes: minutes after which a process saves a checkpoint and ends with exit status 75, so that
            `ebmkit resume` goes on; unset, none.
    """

    steps: Positive = 1000
    batch_size: Positive = 64
    seed: Seed = 0
    device: str = "auto"
    temperature: Annotated[float, Gt(0)] | None = None
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    train_precision: Literal["fp32", "bf16"] = "fp32"
    engine: Literal["auto", "eager", "compile", "graph"] = "auto"
    chunk: Annotated[int, Ge(0)] | Literal["auto"] = "auto"
    ema_half_life: Annotated[float, Ge(0)] = 20_000.0
    ema_copy_steps: Annotated[int, Ge(0)] = 312
    checked_steps: Annotated[int, Ge(0)] = 3
    alarms: bool = True
    rollbacks: Annotated[int, Ge(0)] = 0
    rollback_rate: Annotated[float, Interval(gt=0, le=1)] = 0.5
    fully_shard: bool = False
    init: str | None = None
    init_fresh: tuple[str, ...] = ()
    max_minutes: Annotated[float, Gt(0)] | None = None


Engines = Literal["auto", "eager", "compile", "graph"]
Chunk = Annotated[int, Ge(0)] | Literal["auto"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageConfig:
    """`[[stage]]`: what a stage sets beside its objectives, sampler, buffer and optimisers. Stages follow one another.

    Attributes:
        name: of the stage, as in `--set stage.NAME.steps=400`.
        steps: training steps of the stage. That of the run, `run.steps`, is their sum.
        batch_size: data, and chains, in a step; unset, `run.batch_size`.
        engine: how the sampling view runs; unset, `run.engine`.
        chunk: chains a pass of the sampling view; unset, `run.chunk`.
    """

    name: Annotated[str, MinLen(1)]
    steps: Positive
    batch_size: Positive | None = None
    engine: Engines | None = None
    chunk: Chunk | None = None


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
        schedule: after warm-up and hold, until the last step: towards zero, or constant; "drops" holds between drops.
        hold: share of the steps after warm-up that keep the full rate before the schedule begins.
        drops: of the schedule "drops": shares of all steps after each of which the rate is a tenth of what it was.
        clip: bound on the gradient norm of this owner; 0 for none.
    """

    use: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Annotated[float, Gt(0)] = 1e-4
    betas: tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]] = (0.0, 0.999)
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Ge(0)] = 0.0
    warmup: Annotated[int, Ge(0)] = 0
    schedule: Literal["constant", "cosine", "linear", "drops"] = "constant"
    hold: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    drops: tuple[Annotated[float, Interval(gt=0, lt=1)], ...] = (0.7, 0.8, 0.9)
    clip: Annotated[float, Ge(0)] = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointConfig:
    """`[checkpoint]`: every so many steps, and at the last; only the newest `keep` stay."""

    every: Period = 500
    keep: Positive = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class LogConfig:
    """`[log]`: every so many steps, and at the last; TensorBoard beside `metrics.jsonl` if asked."""

    every: Period = 10
    tensorboard: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PicturesConfig:
    """`[pictures]`: a picture of the chains every so many steps, and at the last."""

    every: Period = 250
    n: Positive = 64


Method = Literal["visits", "anneal"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleConfig:
    """`[sample]`: how fresh chains are made after training.

    Where a coordinate takes chains away from data and back, as a noise level does, a chain is taken at a visit to data,
    or it is annealed.

    Attributes:
        method: "visits": chains of a sampler, as said above; "anneal": chains walk once from the last noise level to
            the clean one, at each by an ancestral step and some exact moves, which needs no sampler. It costs levels ·
            (moves + 1) gradients a sample, and 16 pilot chains find the steps before. It draws the pictures of training
            where no objective needs chains.
        moves: annealed, adjusted Langevin moves at each level; 0 for ancestral steps alone, which are biased.
        denoise: end with a step to the mean of the clean x (Tweedie's formula), at one more gradient; where a noise
            level knows the noise.
        sampler: draws the samples, a+b in this order, with its defaults at the temperature of the run; unset, that of
            the run. Its steps are adapted on fresh chains before. It draws the pictures of training, too, where no
            objective needs chains.
        transitions: of each chain; unset, 10. By visits, the most that a chain may make; unset, 1,000 and 200 for each
            visit.
        plain_transitions: transitions after these, without parts that only augment. Not by visits.
        visits: by visits, the transitions that a chain has ended at data when it is taken: the M-th such state is the
            sample (Zhang et al., 2023, take M = 50). Below 10, samples are biased, and that is said.
        batch_size: chains at a time.
    """

    method: Method = "visits"
    moves: Annotated[int, Ge(0)] = 8
    denoise: bool = False
    sampler: str | None = None
    transitions: Positive | None = None
    plain_transitions: Annotated[int, Ge(0)] = 0
    visits: Positive = 10
    batch_size: Positive = 250


Weights = Literal["averaged", "last"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig:
    """`[eval]`: how the metrics of `[[metric]]` judge the model, in training and by `ebmkit eval`.

    Attributes:
        every: training steps between evaluations; 0 for none in training. With any, the last step is judged, too.
        n: fresh chains.
        n_data: data of each set, where there are as many.
        seed: of chains and choice of data; unset, that of the run.
        weights: "averaged" or "last".
        method: as in `[sample]`, which holds for this and the settings below where they are unset.
        moves: annealed, at each level.
        denoise: end with a step to the mean of the clean x.
        sampler: of the chains.
        transitions: of each chain.
        plain_transitions: without parts that only augment.
        visits: to data.
    """

    every: Annotated[int, Interval(ge=0, lt=2**63)] = 0
    n: Positive = 1000
    n_data: Positive = 5000
    seed: Seed | None = None
    weights: Weights = "averaged"
    method: Method | None = None
    moves: Annotated[int, Ge(0)] | None = None
    denoise: bool | None = None
    sampler: str | None = None
    transitions: Positive | None = None
    plain_transitions: Annotated[int, Ge(0)] | None = None
    visits: Positive | None = None


def samplers_named(text: str | None) -> tuple[str, ...]:
    """Returns the names of `[sample] sampler`.

    >>> samplers_named("mala+gibbs"), samplers_named(None)
    (('mala', 'gibbs'), ())
    """
    return tuple(name.strip() for name in text.split("+")) if text else ()


TableConfig = RunConfig | CheckpointConfig | LogConfig | PicturesConfig | SampleConfig | EvalConfig
TABLES: Mapping[str, type[TableConfig]] = {
    "run": RunConfig,
    "checkpoint": CheckpointConfig,
    "log": LogConfig,
    "pictures": PicturesConfig,
    "sample": SampleConfig,
    "eval": EvalConfig,
}
