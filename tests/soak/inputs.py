"""What a stranger or a slip of the hand may type: recipes, `--set` strings and command lines, almost right."""

from __future__ import annotations

import random
import shutil
import string
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from ebmkit.plugins.host import Host
from ebmkit.recipes.recipe import LISTS, SINGLES, table_of
from ebmkit.recipes.tables import TABLES, OptimConfig

NASTY = (
    "0", "-1", "1", "1e18", str(10**18), "9" * 5_000, "-" + "9" * 400, "nan", "inf", "-inf", "1e400", "1e-400", "0.0",
    "true", "false", "''", '"x"', '"\\u0000"', "'auto'", "[]", "[[]]", "[1, 'a']", "[" * 300 + "]" * 300, "[" * 1_000,
    "[" * 20_000, "{}", "{a=1}", "{a={b=[{}]}}", "{" * 900, "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "=", "==",
    "a.b.c", "None", "null", "'''", '"""', "\\", "\x00", "\n", "\r", "é", "\U0001f600", "\ud800",
    "🙂" * 300, "x" * 70_000,
    "../../../etc/passwd", "/dev/zero", "/dev/stdin", "~", "%s%n", "{x}", "$(ls)", "[1e308, 1e308]", "0x10",
    "1_000", ".5",
    "[0]", "[-1]", "[0.5, 0.999]", "[1000000000000]", "[8, 8]", "'mala'", "'sgld+gibbs'", "'+'", "'a+'",
)  # fmt: skip
"""Values that have broken something somewhere: numbers at the edges, depth, length, other types, no text at all."""

SMALL = ("run", "--energy", "mlp", "--sampler", "sgld", "--data", "toy:moons", "--set", "energy.widths=[8]",
         "--set", "run.batch_size=8", "--set", "buffer.capacity=16", "--set", "log.tensorboard=false")  # fmt: skip
"""A run of little work."""

COMMANDS = (
    "run", "resume", "sample", "eval", "score", "report", "export", "list", "show", "recipes", "cite", "check", "bench",
    "plugins", "info", "diff", "nonsense", "", "--version", "--help",
)  # fmt: skip
FLAGS = (
    "--energy", "--sampler", "--objective", "--buffer", "--coordinate", "--wrapper", "--data", "--recipe", "--set",
    "--steps", "--device", "--seed", "--out", "--plugin", "-n", "--given", "--given-strength", "--images", "--with",
    "--op", "--weight", "--transitions", "--visits", "--plain-transitions", "--metric", "--n-data", "--quick", "--json",
    "--no-sampling", "--denoise", "--last-weights", "--dry-run", "--resume-if-present", "--help", "-", "--", "---x",
)  # fmt: skip


class Inputs:
    """Draws command lines, each a function of the seed.

    Args:
        seed: of everything drawn.
        host: whose parts and recipes are named.
        folder: of the recipe files that are written.
        trained: a run.
    """

    def __init__(self, seed: int, host: Host, folder: Path, trained: Path) -> None:
        self.rng, self.host, self.folder, self.trained = random.Random(seed), host, folder, trained
        self.texts = [host.recipe(name) for name in host.recipe_names()]
        self.paths = [f"{table}.{field}" for table, field in _settings(host)]
        self.parts = [(component.kind, component.name) for component, _ in host.all()]

    def line(self) -> list[str]:
        """Returns the arguments of one command."""
        kinds: list[Callable[[], list[str]]] = [self.a_recipe, self.a_setting, self.a_line, self.an_order, self.a_run]
        return self.rng.choices(kinds, weights=(3, 3, 2, 2, 1))[0]()

    def a_recipe(self) -> list[str]:
        """Returns a command that reads a spoilt recipe."""
        data = self._spoilt(self.rng.choice(self.texts))
        path = self.folder / "recipe.toml"
        path.write_bytes(data)
        return ["run", "--recipe", str(path), "--dry-run"]

    def a_setting(self) -> list[str]:
        """Returns a command with one or two settings that make little sense."""
        sets = [word for _ in range(self.rng.choice((1, 1, 2))) for word in ("--set", self._setting())]
        recipe = ["--recipe", self.rng.choice(self.host.recipe_names())] if self.rng.random() < 0.4 else []
        return ["run", *recipe, *sets, "--dry-run"]

    def a_run(self) -> list[str]:
        """Returns a command that trains for a step, with one setting that makes little sense."""
        shutil.rmtree(self.folder / "made", ignore_errors=True)
        own = ("run", "log", "checkpoint", "pictures", "sample", "optim", "data", "energy", "buffer", "sampler",
               "objective")  # fmt: skip
        path = self.rng.choice([path for path in self.paths if path.startswith(own)])
        return [
            *SMALL,
            "--set",
            f"{path}={self._value()}",
            "--steps",
            "1",
            "--out",
            str(self.folder / "made"),
        ]

    def a_line(self) -> list[str]:
        """Returns any words in any order."""
        line = [self.rng.choice(COMMANDS)]
        for _ in range(self.rng.randrange(5)):
            line.append(self.rng.choice(FLAGS) if self.rng.random() < 0.6 else self._word())
        return _harmless(line)

    def an_order(self) -> list[str]:
        """Returns a command on a run with one flag that makes little sense."""
        command, *flags = self.rng.choice(
            (
                ("sample", "--given", "--given-strength", "-n", "--seed", "--device", "--op", "--weight", "--images"),
                ("eval", "--metric", "--set", "-n", "--n-data", "--seed", "--sampler", "--device"),
                ("export", "--given", "--device"),
                ("report", "-n", "--device", "--seconds"),
                ("score", "--data", "--device", "--metric"),
                ("show",), ("cite",), ("list",), ("check",),
            )
        )  # fmt: skip
        of_a_run = [str(self.trained)] if command in ("sample", "eval", "export", "report", "score") else []
        flag = [self.rng.choice(flags)] if flags else []
        return _harmless([command, *of_a_run, *flag, self._word()])

    def _setting(self) -> str:
        path = self.rng.choice(self.paths) if self.rng.random() < 0.8 else self._noise(12)
        if self.rng.random() < 0.1:
            path = path.replace(".", self.rng.choice(("..", ".0.", ".-1.", " . ", "")))
        return f"{path}{self.rng.choice(('=', '=', '=', '==', ' = ', ''))}{self._value()}"

    def _value(self) -> str:
        return self.rng.choice(NASTY) if self.rng.random() < 0.8 else self._noise(20)

    def _word(self) -> str:
        kind, name = self.rng.choice(self.parts)
        choices = (
            name, f"{kind} {name}", kind, self._setting(), self._value(), str(self.trained), f"{name}+{name}",
            f"{name}:",
            f"{name}:{self._noise(4)}", "label=1", "pixels=nowhere.png", "latent=class:1", self._noise(6),
        )  # fmt: skip
        return self.rng.choice(choices)

    def _noise(self, most: int) -> str:
        letters = string.ascii_lowercase + " .=[]{}\"'#-_+:/\\\n\t0123456789é"
        return "".join(self.rng.choice(letters) for _ in range(self.rng.randrange(most)))

    def _spoilt(self, text: str) -> bytes:
        lines = text.splitlines()
        for _ in range(self.rng.choice((1, 1, 2, 5))):
            self.rng.choice((self._value_in, self._dropped, self._doubled, self._moved, self._added))(lines)
        data = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
        if self.rng.random() < 0.3:
            for _ in range(self.rng.choice((1, 3, 30))):
                data[self.rng.randrange(len(data) or 1) : 0] = bytes([self.rng.randrange(256)])
        return bytes(data[: self.rng.randrange(len(data) + 1)] if self.rng.random() < 0.1 else data)

    def _value_in(self, lines: list[str]) -> None:
        settings = [i for i, line in enumerate(lines) if "=" in line]
        if settings:
            place = self.rng.choice(settings)
            lines[place] = f"{lines[place].split('=')[0]}= {self._value()}"

    def _dropped(self, lines: list[str]) -> None:
        if lines:
            del lines[self.rng.randrange(len(lines))]

    def _doubled(self, lines: list[str]) -> None:
        if lines:
            lines.insert(self.rng.randrange(len(lines)), self.rng.choice(lines))

    def _moved(self, lines: list[str]) -> None:
        self.rng.shuffle(lines)

    def _added(self, lines: list[str]) -> None:
        table = self.rng.choice((*SINGLES, *LISTS, *TABLES, "optim", "optim.energy", "x"))
        head = self.rng.choice((f"[{table}]", f"[[{table}]]", f"{table} = {self._value()}", f"[{'a.' * 500}a]"))
        lines[self.rng.randrange(len(lines) + 1) : 0] = [head, self._setting().split(".")[-1]]


def _settings(host: Host) -> list[tuple[str, str]]:
    """Returns table and field of every setting that there is."""
    own = [(table, f.name) for table, config in TABLES.items() for f in fields(config)]
    optim = [("optim.energy", f.name) for f in fields(OptimConfig)]
    return own + optim + [(table_of(c.kind), f.name) for c, _ in host.all() for f in fields(c.config)]


def _harmless(line: list[str]) -> list[str]:
    """Returns a command line that trains nothing, waits for nothing and writes nothing but beside the run."""
    if line[:1] == ["bench"] or (line[:1] == ["check"] and len(line) > 1):
        return ["list", *line[1:]]  # they measure for minutes, which is what they are for
    if line[:1] in (["run"], ["resume"]):
        return [*line, "--dry-run"] if line[0] == "run" else line
    return line
