"""Exports the energy of every shipped recipe, cut small and untrained, and says whether the file gives the same.

python docs/export_recipes.py          all of them, as .pt2 and as .safetensors
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from alarms_measured import recipe_of
from alarms_parts import COMPONENTS
from alarms_runs import HEALTHY

from ebmkit.assembly.assemble import assemble
from ebmkit.assembly.complete import complete
from ebmkit.data.spec import DataSpec
from ebmkit.errors import EbmkitError
from ebmkit.plugins.host import host
from ebmkit.runs.outputs.exporting import SUFFIXES, export_energy
from ebmkit.sampling.model import model_of, opened


def main() -> None:
    """Writes a line for each recipe and kind of file."""
    for component in COMPONENTS:
        host().register(component)
    for planned in HEALTHY:
        found = re.search(r"--recipe (\S+)", planned.command)
        if found is None:
            continue
        made = complete(recipe_of(planned))
        assembly = assemble(made.recipe, data=DataSpec.of(made.dataset), with_data=False)
        model = opened(model_of(assembly, name=found[1]))
        for suffix in SUFFIXES:
            with TemporaryDirectory() as folder:
                try:
                    size = export_energy(model, Path(folder) / f"energy{suffix}").stat().st_size
                    said = f"the same energies and gradients, {size:,} bytes"
                except EbmkitError as error:
                    said = str(error)
            sys.stdout.write(f"{found[1]:<24} {suffix:<12} {said}\n")


if __name__ == "__main__":
    main()
