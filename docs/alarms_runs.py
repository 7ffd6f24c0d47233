"""Runs made to go wrong, each with the lines of the table that say why, and healthy ones, for `alarms_measured.py`."""

from __future__ import annotations

from dataclasses import dataclass

SMALL = "--set energy.widths=[8,16] --set run.batch_size=16 --set sampler.sgld.moves=8"
NET = "--energy resnet --data fashion-mini " + SMALL
TINY = "--energy resnet --data fashion-mini --set buffer.capacity=200 " + SMALL


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A run, as it would be given to `ebmkit run`.

    Attributes:
        command: flags.
        steps: training steps.
        lines: of the table, one of which must be the diagnosis; none of a healthy run.
        wrong_from: step from which it is wrong.
    """

    command: str
    steps: int = 400
    lines: tuple[str, ...] = ()
    wrong_from: int = 1


def wrong(command: str, *lines: str, wrong_from: int = 1) -> Planned:
    """Returns a run that goes wrong, long enough to be stopped and some more."""
    return Planned(command=command, steps=wrong_from + 300, lines=lines, wrong_from=wrong_from)


MGMS = "--set energy.widths=[64,32] --set sampler.mgms.moves=4 --set run.batch_size=32"

FLY = ("chains-fly", "all-rejected")

RATE = (
    "energy-scale",
    "gap",
    "chains-saturated",
    "loss-scale",
    "gradient-norm",
    "gradient-not-finite",
    "chain-not-finite",
)
"""Lines whose first advice is the learning rate."""

WRONG = (
    # learning rates
    wrong("--data toy:rings --set optim.energy.lr=1", *RATE),
    wrong("--data toy:rings --set optim.energy.lr=10", *RATE),
    wrong("--data toy:rings --sampler sgld --set optim.energy.lr=0.3", *RATE),
    wrong("--data toy:moons --set optim.energy.lr=1 --sampler mala", *RATE),
    wrong("--data toy:moons --set optim.energy.lr=0.3 --sampler hmc", *RATE),
    wrong("--data toy:eight-gaussians --set optim.energy.use=sgd --set optim.energy.lr=30", *RATE),
    wrong("--data toy:checkerboard --set optim.energy.lr=1 --buffer none", *RATE),
    wrong(
        "--data toy:checkerboard --sampler sgld --set optim.energy.lr=1 --objective cd+energy-l2 "
        "--set objective.energy-l2.alpha=0.01",
        *RATE,
    ),
    wrong("--data toy:rings --set optim.energy.lr=1 --objective improved-cd", *RATE),
    wrong("--data toy:rings --set optim.energy.lr=3 --sampler underdamped", *RATE),
    wrong(f"{TINY} --set optim.energy.lr=1", *RATE),
    wrong(f"{TINY} --set optim.energy.use=sgd --set optim.energy.lr=100", *RATE),
    wrong(f"{TINY} --objective clel --set optim.energy.lr=1", *RATE),
    wrong(f"{TINY} --objective improved-cd --set optim.energy.lr=1", *RATE),
    wrong(f"{TINY} --objective cd+energy-l2 --set optim.energy.lr=1", *RATE),
    wrong(f"--recipe da-fashion-cpu {MGMS} --set optim.energy.lr=1 --set optim.energy.warmup=0", *RATE),
    wrong(f"--recipe da-fashion-cpu {MGMS} --set optim.energy.lr=0.1", *RATE),
    wrong("--recipe da-rings --set run.batch_size=50 --set sampler.mgms.moves=4 --set optim.energy.lr=1", *RATE),
    # without spectral norm
    wrong(f"{TINY} --set energy.spectral_norm=false --set optim.energy.lr=0.1", *RATE),
    wrong(f"{TINY} --objective clel --set energy.spectral_norm=false --set optim.energy.lr=0.03", *RATE),
    # steps of the sampler
    wrong("--data toy:rings --sampler sgld --set sampler.sgld.step_size=5 --set optim.energy.lr=1e-3", "chains-fly"),
    wrong("--data toy:rings --sampler sgld --set sampler.sgld.step_size=1000", "chains-fly"),
    wrong("--data toy:rings --sampler underdamped --set sampler.underdamped.step_size=20", "chains-fly"),
    wrong("--data toy:rings --sampler mala --set sampler.mala.step_size=1000 --set sampler.mala.adapt=off", *FLY),
    wrong("--data toy:rings --sampler hmc --set sampler.hmc.step_size=300 --set sampler.hmc.adapt=off", *FLY),
    wrong("--data toy:rings --sampler mala --set sampler.mala.step_size=1e-7", "chains-still"),
    wrong(f"{TINY} --set sampler.sgld.step_size=1e6", "chains-saturated"),
    wrong(f"{TINY} --set sampler.sgld.noise=3 --set sampler.sgld.step_size=100", "gap", "chains-fly"),
    wrong(f"{TINY} --set sampler.sgld.step_size=1e-9 --set sampler.sgld.noise=1e-9", "chains-still"),
    # data, and buffers below; the checker of the first steps is off where it would name them at once
    wrong(
        f"--energy resnet --data altered --set data.scale=255 --set run.checked_steps=0 {SMALL}",
        "data-out-of-range",
    ),
    wrong(
        "--energy mlp --sampler mgms --data altered --set data.of=rings --set data.scale=1000",
        "data-scale",
        "energy-scale",
    ),
    wrong("--energy mlp --data altered --set data.of=rings --set data.nan_from=60", "data-not-finite", wrong_from=60),
    wrong(f"--energy resnet --data altered --set data.nan_from=30 {SMALL}", "data-not-finite", wrong_from=30),
    # buffers
    wrong("--data toy:rings --buffer broken --set run.checked_steps=0 --set buffer.how=loses", "buffer-dead"),
    wrong(f"{TINY} --buffer broken --set run.checked_steps=0 --set buffer.how=pretends", "buffer-dead"),
    wrong(f"{TINY} --buffer broken --set run.checked_steps=0 --set buffer.how=copies", "chains-collapsed"),
)

MOVES = "--set sampler.sgld.moves=20"
STANDARDISED = "--set energy.widths=[8,16,32,64] --set energy.blocks=[1,1,1,0] --set objective.improved-cd.fill=200"
SCALES = "--set energy.attention=[]"
NETWORKS = "--set 'wrapper.multiscale.networks=[{widths=[8,16,32],blocks=[1,1,0]},{widths=[8,16],blocks=[1,0]}]'"
CUT = "--set run.batch_size=16 --set buffer.capacity=400"
COLOUR = "--data altered --set data.colour=true"
NARROW = f"{CUT} --set energy.widths=[8,8,16,16] --set energy.blocks=1 --set energy.hidden=64"
ENCODER = "--set wrapper.latent-head.hidden=64 --set objective.clel.encoder=small --set objective.clel.width=8"
DA = "--set energy.widths=[256,128] --set run.batch_size=64 --set buffer.capacity=64"
SMALLER = "--set energy.widths=[8,16,16,16] --set sampler.mgms.moves=5"
FASTER = "--set optim.energy.lr=1e-3"

HEALTHY = tuple(
    Planned(command=command, steps=steps)
    for steps, command in (
        # every shipped recipe, narrower and with smaller batches; sets that are not here are replaced by one that is
        (150, f"--recipe clel-fashion {CUT} --set energy.widths=[8,16,32,64]"),
        (120, f"--recipe improved-cd-fashion {CUT} --set energy.widths=[8,16,32,64]"),
        (250, f"--recipe da-fashion-cpu {DA}"),
        (200, f"--recipe clel-da-fashion-cpu {DA}"),
        (
            60,
            f"--recipe da-fashion --data fashion-mini {CUT} {SMALLER}",
        ),
        (
            60,
            f"--recipe da-mnist --data fashion-mini {CUT} {SMALLER}",
        ),
        (900, "--recipe da-rings --set run.batch_size=100"),
        (500, "--recipe da-rings-paper --set sampler.mgms.moves=10"),
        (100, f"--recipe clel-cifar10 {COLOUR} {NARROW} {ENCODER} {MOVES}"),
        (80, f"--recipe clel-cifar10-large {COLOUR} {NARROW} {ENCODER} {MOVES}"),
        (100, f"--recipe clel-cifar10-small {COLOUR} {NARROW} {ENCODER} {MOVES}"),
        (80, f"--recipe clel-celeba64 {COLOUR} {NARROW} {ENCODER} {MOVES}"),
        (80, f"--recipe clel-imagenet32 {COLOUR} {NARROW} {ENCODER} {MOVES}"),
        (80, f"--recipe improved-cd-mnist --data fashion-mini {CUT} {MOVES} {STANDARDISED}"),
        (60, f"--recipe improved-cd-cifar10 {COLOUR} {CUT} {MOVES} {STANDARDISED} {SCALES}"),
        (40, f"--recipe improved-cd-celeba128 {COLOUR} {CUT} {MOVES} {STANDARDISED} {SCALES} {NETWORKS}"),
        # the plane
        (1000, "--data toy:rings"),
        (1000, "--data toy:moons"),
        (1000, "--data toy:eight-gaussians"),
        (1000, "--data toy:checkerboard"),
        (1000, f"--data toy:rings {FASTER}"),
        (500, f"--data toy:moons --sampler mala {FASTER}"),
        (500, f"--data toy:rings --sampler hmc {FASTER}"),
        (250, f"--data toy:checkerboard --sampler nuts --set run.batch_size=32 {FASTER}"),
        (500, f"--data toy:rings --sampler underdamped {FASTER}"),
        (250, f"--data toy:moons --sampler tempering {FASTER}"),
        (700, f"--data toy:rings --buffer none {FASTER}"),
        (700, f"--data toy:moons --buffer reservoir {FASTER}"),
        (500, f"--data toy:moons --coordinate label --set energy.labels=true {FASTER}"),
        (700, f"--data toy:rings --objective improved-cd {FASTER}"),
        (500, f"--energy mlp --data toy-discrete --sampler gibbs-with-gradients {FASTER}"),
        # images
        (250, TINY),
        (150, f"{TINY} --objective clel"),
        (150, f"{TINY} --objective improved-cd"),
        (200, f"{TINY} --sampler augment+sgld"),
        (200, f"{NET} --buffer none"),
    )
)
