"""`export`: the energy of a run as one file, for programs without ebmkit and for other people's samplers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ebmkit.cli.out_file import check_out
from ebmkit.cli.sampling import given_values
from ebmkit.cli.training import PluginFiles, importing_torch, load_files
from ebmkit.cli.training import option as _option
from ebmkit.display.doing import doing
from ebmkit.display.output import say
from ebmkit.display.watching import preparing

SUFFIXES = (".pt2", ".safetensors")


def export(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory, or pretrained:NAME.")],
    out: Annotated[Path, _option("FILE", ".pt2, a program that needs torch alone; or .safetensors.", "--out")],
    given: Annotated[list[str] | None, _option("NAME=VALUE", "Hold it, as in label=3; repeatable.")] = None,
    device: Annotated[str, _option("DEVICE", "On which a .pt2 runs.")] = "cpu",
    plugin: PluginFiles = None,
) -> None:
    """Writes the energy E(x) of a run to a file.

    Averaged weights, x in the range of the data, nats; any number of rows.
    """
    check_out(out, SUFFIXES)
    asked = given_values(given or [])
    load_files(plugin)
    with importing_torch():
        from ebmkit.assembly.device import choose_device
        from ebmkit.runs.loaded import load
        from ebmkit.runs.outputs.exporting import export_energy

        choose_device(device)
        model = load(directory, device=device).model
    with preparing():
        doing(f"writing {out}")
        export_energy(model, out, asked)
    event = ", ".join(map(str, model.data.event_shape))
    say(f"{out}: E(x) [B] in nats of x [B, {event}], {_values(model.data.value_range)}, after {model.step} steps.")
    say(f"p(x) is proportional to exp(−E(x)/T) with T = {model.temperature:g}. Energies and gradients are the run's.")
    if out.suffix == ".pt2":
        say(f"Without ebmkit: torch.export.load({str(out)!r}).module()")
    say(f"With ebmkit: ebmkit.load_energy({str(out)!r})")


COMMANDS: dict[str, Callable[..., None]] = {"export": export}


def _values(value_range: tuple[float, float] | None) -> str:
    return "unbounded" if value_range is None else f"in [{value_range[0]:g}, {value_range[1]:g}]"
