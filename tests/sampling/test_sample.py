"""Laws of `ebmkit.sample`: what is kept, what is counted, what is refused."""

import pickle
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import ebmkit
from ebmkit import samplers
from ebmkit.assembly.build import build
from ebmkit.display.doing import heard
from ebmkit.energies.wrap import energy as energy_of
from ebmkit.errors import CapabilityError, DivergenceError, RecipeError
from ebmkit.point import Point
from ebmkit.protocols.sampler import SamplerState
from ebmkit.protocols.traits import SamplerTraits
from ebmkit.rng import stream
from ebmkit.samplers.declarations.langevin import SgldConfig
from ebmkit.samplers.declarations.metropolis import MalaConfig
from ebmkit.samplers.mala import Mala
from ebmkit.samplers.metropolis import Target
from ebmkit.samplers.sequence import Sequence
from ebmkit.samplers.sgld import Sgld
from ebmkit.samplers.step_size import StepSize
from ebmkit.sampling.sample import sample
from ebmkit.views.view import view


def quadratic(point: Point) -> Tensor:
    return point.x.flatten(1).square().sum(dim=1) / 2


def sgld(**config: Any) -> Any:
    return build("sampler", "sgld", **{"moves": 2, "step_size": 0.1, **config})


@settings(max_examples=25)
@given(
    transitions=st.integers(1, 6), burn_in=st.integers(0, 4), thin=st.integers(1, 3), seed=st.integers(0, 99),
    n=st.integers(1, 3), event=st.lists(st.integers(1, 2), min_size=1, max_size=3),
)  # fmt: skip
def test_draws_are_the_thinned_chain_after_burn_in(
    transitions: int, burn_in: int, thin: int, seed: int, n: int, event: list[int]
) -> None:
    start = Point(x=torch.zeros(n, *event), aux={"label": torch.arange(n)})
    sampler, before = sgld(), torch.get_rng_state()
    if thin > transitions:
        with pytest.raises(RecipeError, match="thin"):
            sample(quadratic, sampler, start, transitions=transitions, thin=thin)
        return
    draws = sample(quadratic, sampler, start, transitions=transitions, burn_in=burn_in, thin=thin, seed=seed)
    state, path = sampler.init(start, stream(seed, 0, "sample")), []
    for _ in range(burn_in + transitions):
        state, _ = sampler.step(view(quadratic), state)
        path.append(state.point.x)
    wanted = torch.stack(path[burn_in:][thin - 1 :: thin])
    assert torch.equal(draws.x, wanted) and draws.x.shape == (transitions // thin, n, *event)
    assert torch.equal(draws.aux["label"], torch.arange(n).expand(transitions // thin, n))
    assert torch.equal(draws.final.x, path[-1]) and draws.n_gradients == 2 * (burn_in + transitions)
    assert torch.equal(draws.accept_rate, torch.ones(n)) and torch.equal(torch.get_rng_state(), before)
    assert not start.x.any()


class Notebook:
    """Keeps what an object shows in a notebook."""

    def __init__(self) -> None:
        self.shown = ""

    def text(self, text: str, /) -> None:
        self.shown += text


def test_draws_print_and_show_as_their_summary() -> None:
    draws = sample(quadratic, sgld(), torch.zeros(4, 2), transitions=8)
    for shown in (draws, draws.summary()):
        notebook = Notebook()
        shown._repr_pretty_(notebook, False)
        assert notebook.shown == str(shown) == str(draws.summary())
    assert repr(draws) == "Samples(x: [8, 4, 2], 32 gradients a chain)"
    some = sample(quadratic, sgld(), torch.zeros(4, 2), transitions=2, emit=lambda p: p.x[:, 0] > -9)
    assert str(some).startswith("8 draws that emit chose, energy ") and "tensor" not in str(some)
    none = sample(quadratic, sgld(), torch.zeros(4, 2), transitions=2, emit=lambda p: p.x[:, 0] > 9)
    assert str(none).startswith("0 draws that emit chose, 8 gradients")


def test_a_plain_module_or_function_of_x_is_an_energy() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.SiLU(), nn.Linear(8, 1))
    means, before = net[1].running_mean.clone(), torch.get_rng_state()
    plain = sample(net, "mala", torch.zeros(3, 2), transitions=2)
    assert torch.equal(plain.x, sample(energy_of(net), "mala", torch.zeros(3, 2), transitions=2).x)
    assert torch.equal(net[1].running_mean, means) and net.training and torch.equal(torch.get_rng_state(), before)
    of_x = sample(lambda x: x.square().sum(dim=1) / 2, sgld(), torch.zeros(3, 2), transitions=2)
    assert torch.equal(of_x.x, sample(quadratic, sgld(), torch.zeros(3, 2), transitions=2).x)
    with pytest.raises(CapabilityError, match=r"Linear could not be asked about x \[2, 2\]"):
        sample(nn.Linear(5, 1), "mala", torch.zeros(3, 2))


def test_burn_in_is_as_long_as_what_is_kept_unless_a_tuning_goes_on() -> None:
    first = sample(quadratic, "mala", torch.zeros(3, 2), transitions=4)
    assert first.x.shape[0] == 4 and first.n_gradients == 8 * 21
    assert torch.equal(first.x, sample(quadratic, "mala", torch.zeros(3, 2), transitions=4, burn_in=4).x)
    on = sample(quadratic, "mala", first.final, transitions=4, tuning=first.tuning)
    assert on.n_gradients == 4 * 21 and torch.equal(on.tuning["step_size"], first.tuning["step_size"])


def test_a_named_step_learns_from_each_transition_of_burn_in() -> None:
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    for sampler in ("mala", samplers.Mala(moves=20)):
        assert 0.55 < float(sample(quadratic, sampler, x, transitions=30).accept_rate.mean()) < 0.85
    slow = sample(quadratic, samplers.Mala(adapt_every=100), x, transitions=30)
    assert float(slow.tuning["step_size"]) == pytest.approx(0.1)


def test_progress_is_shown_or_told_or_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[bool, int, int]] = []

    @contextmanager
    def counting(*, shown: bool) -> Any:
        yield lambda done, total, what: made.append((shown, done, total))

    monkeypatch.setattr("ebmkit.sampling.told.counting", counting)
    run = partial(sample, quadratic, sgld(), torch.zeros(2, 2), transitions=2, burn_in=1)
    run()
    run(progress=False)
    with heard(lambda what: None):
        run()
    assert made == [(shown, i, 3) for shown in (True, False, False) for i in (1, 2, 3)]
    calls: list[tuple[int, int]] = []
    run(progress=lambda done, total, info: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)] and len(made) == 9


def test_a_log_density_is_sampled() -> None:
    log_p = energy_of(torch.vmap(lambda x: -((x - 3.0) ** 2).sum() / 2), output="log_density")
    draws = sample(log_p, "mala", torch.zeros(64, 2), transitions=50)
    assert draws.x.mean(dim=(0, 1)).tolist() == pytest.approx([3.0, 3.0], abs=0.1)


def test_a_sampler_is_named_or_given_as_its_settings() -> None:
    from_name = sample(quadratic, "mala", torch.zeros(2, 2), transitions=3)
    from_settings = sample(quadratic, samplers.Mala(), torch.zeros(2, 2), transitions=3)
    other = sample(quadratic, samplers.Mala(step_size=0.3), torch.zeros(2, 2), transitions=3)
    assert torch.equal(from_name.x, from_settings.x) and not torch.equal(from_name.x, other.x)
    with pytest.raises(RecipeError, match="sampler mala: moves: Input should be greater than 0, found -1"):
        sample(quadratic, samplers.Mala(moves=-1), torch.zeros(2, 2), transitions=3)
    with pytest.raises(RecipeError, match="sampler should be given, found 7"):
        sample(quadratic, 7, torch.zeros(2, 2), transitions=3)  # type: ignore[call-overload]


def test_emit_keeps_the_rows_for_which_it_holds() -> None:
    start = Point(x=torch.zeros(4, 2), aux={"label": torch.arange(4)})
    draws = sample(quadratic, sgld(), start, transitions=3, emit=lambda p: p.aux["label"] % 2 == 1)
    every = sample(quadratic, sgld(), start, transitions=3)
    assert torch.equal(draws.x, every.x[:, [1, 3]].flatten(0, 1)) and draws.aux["label"].tolist() == [1, 3] * 3
    none = sample(quadratic, sgld(), start, transitions=3, emit=lambda p: torch.zeros(4, dtype=torch.bool))
    assert none.x.shape == (0, 2) and none.aux["label"].shape == (0,)


def test_seeds_decide() -> None:
    one, same, other = (sample(quadratic, "sgld", torch.zeros(2, 2), transitions=2, seed=s).x for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("energy", [quadratic, view(quadratic), energy_of(lambda x: x.square().sum(dim=1) / 2)])
def test_callables_views_and_modules_are_energies(energy: Any) -> None:
    assert torch.equal(
        sample(energy, sgld(), torch.zeros(2, 2), transitions=2).x,
        sample(quadratic, sgld(), torch.zeros(2, 2), transitions=2).x,
    )


def test_a_module_around_a_network_is_frozen() -> None:
    network = nn.Linear(2, 1)
    draws = sample(energy_of(network), sgld(), torch.zeros(3, 2), transitions=2)
    assert not draws.x.requires_grad and network.weight.grad is None and network.weight.requires_grad


def test_a_start_with_a_graph_starts_without_it() -> None:
    start = torch.zeros(2, 2, requires_grad=True)
    draws = sample(quadratic, sgld(), start, transitions=2)
    assert not draws.x.requires_grad and not draws.final.x.requires_grad


@pytest.mark.parametrize(
    "counts", [{"transitions": 0}, {"transitions": 2, "burn_in": -1}, {"transitions": 2, "thin": 0}]
)
def test_counts_must_be_positive(counts: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="transitions ≥ 1"):
        sample(quadratic, sgld(), torch.zeros(2, 2), **counts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("energy", "found"),
    [
        (lambda p: p.x, r"\(2, 2\)"),
        (lambda p: p.x.sum(), r"\(\)"),
        (lambda p: p.x.sum(dim=1)[:1], r"\(1,\)"),
    ],
)
def test_an_energy_of_another_shape_is_refused(energy: Any, found: str) -> None:
    with pytest.raises(CapabilityError, match=f"shape {found} for 2 chains"):
        sample(energy, sgld(), torch.zeros(2, 2), transitions=1)


def test_a_start_without_sense_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least one chain"):
        sample(quadratic, sgld(), torch.zeros(0, 2), transitions=1)
    with pytest.raises(RecipeError, match="not finite"):
        sample(quadratic, sgld(), torch.full((2, 2), torch.nan), transitions=1)
    with pytest.raises(RecipeError, match="energy is not finite"):
        sample(lambda p: p.x.log().sum(dim=1), sgld(), -torch.ones(2, 2), transitions=1)
    with pytest.raises(CapabilityError, match="int64"):
        sample(lambda p: p.x.sum(dim=1).float(), sgld(), torch.zeros(2, 2, dtype=torch.long), transitions=1)


def test_divergence_is_named() -> None:
    with pytest.raises(DivergenceError, match="transition"):
        sample(lambda p: p.x.pow(4).sum(dim=1), sgld(step_size=10.0, moves=5), torch.ones(2, 2), transitions=9)


def test_an_unknown_sampler_is_named() -> None:
    with pytest.raises(RecipeError, match="sgld"):
        sample(quadratic, "sgdl", torch.zeros(2, 2), transitions=1)


def mala(**config: Any) -> Any:
    return build("sampler", "mala", **{"moves": 4, "step_size": 0.02, "adapt_every": 1, **config})


def test_steps_learn_in_burn_in_alone() -> None:
    seen: list[Any] = []

    class Watched:
        traits = SamplerTraits(adjusted=True)
        warmup = 0

        def __init__(self) -> None:
            self.inner = mala(adapt="dual-averaging")
            self.adapted = self.inner.adapted

        def init(self, *args: Any) -> Any:
            return self.inner.init(*args)

        def step(self, view: Any, state: Any, *, tail: Any = None) -> Any:
            seen.append(float(state.tuning["step_size"]))
            return self.inner.step(view, state)

    draws = sample(quadratic, Watched(), torch.zeros(8, 2), transitions=5, burn_in=30)
    assert len(set(seen[:30])) == 30 and len(set(seen[30:])) == 1
    assert seen[30] == pytest.approx(float(draws.tuning["log_averaged"].exp())) and seen[30] > 0.5
    assert 0.4 < float(draws.accept_rate.mean()) < 0.95
    seen.clear()
    sample(quadratic, Watched(), torch.zeros(8, 2), transitions=5, burn_in=5, adapt=False)
    assert seen == [pytest.approx(0.02)] * 10


def test_draws_are_continued_from_where_they_ended() -> None:
    first = sample(quadratic, mala(), torch.zeros(8, 2), transitions=2, burn_in=20)
    then = sample(quadratic, mala(), first.final, transitions=2, tuning=first.tuning, seed=1)
    assert torch.equal(then.tuning["step_size"], first.tuning["step_size"]) and first.tuning["step_size"] > 0.02


def test_every_draw_comes_with_its_energy() -> None:
    draws = sample(quadratic, mala(), torch.zeros(3, 2), transitions=6, thin=2)
    assert torch.equal(draws.energy, draws.x.square().sum(dim=2) / 2)
    some = sample(quadratic, mala(), torch.zeros(3, 2), transitions=6, emit=lambda p: p.x[:, 0] > 0)
    assert torch.equal(some.energy, some.x.square().sum(dim=1) / 2) and not some.aux
    double = sample(quadratic, mala(), torch.zeros(3, 2, dtype=torch.float64), transitions=1)
    assert double.energy.dtype == double.x.dtype == torch.float64


def test_a_summary_diagnoses_the_draws() -> None:
    start = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    draws = sample(quadratic, mala(), start, transitions=300, burn_in=50)
    found = draws.summary()
    assert found.r_hat.shape == (2,) and found.is_reliable and found.energy == pytest.approx(1, abs=0.1)
    assert found.n_gradients == 5 * 350 and "16 chains × 300 draws" in str(found)
    emitted = sample(quadratic, mala(), start, transitions=2, emit=lambda p: p.x[:, 0] > 0)
    with pytest.raises(RecipeError, match="emit"):
        emitted.summary()


def test_memory_is_bounded_before_the_first_move() -> None:
    moved: list[int] = []

    def watch(done: int, total: int, info: Any) -> None:
        moved.append(done)

    asked: dict[str, Any] = {"transitions": 100, "progress": watch}
    with pytest.raises(RecipeError, match=r"2,400 bytes.*max_bytes is 1,000.*one in 3"):  # 100 · 2 · (2 + 1) · 4
        sample(quadratic, mala(), torch.zeros(2, 2), max_bytes=1000, **asked)
    assert not moved
    assert len(sample(quadratic, mala(), torch.zeros(2, 2), max_bytes=1000, thin=3, **asked).x) == 33
    with pytest.raises(RecipeError, match="emitted so far"):
        sample(quadratic, mala(), torch.zeros(2, 2), max_bytes=1000, emit=lambda p: p.x[:, 0] < 9, **asked)


def test_progress_is_told_of_every_transition() -> None:
    told: list[tuple[int, int, int]] = []
    sample(
        quadratic, mala(), torch.zeros(2, 2), transitions=3, burn_in=2,
        progress=lambda done, total, info: told.append((done, total, info.n_gradients)),
    )  # fmt: skip
    assert told == [(i, 5, 5) for i in range(1, 6)]


def test_emit_must_say_which_chains() -> None:
    for emit in (lambda p: p.x[:, 0], lambda p: p.x > 0, lambda p: torch.tensor([0, 1])):
        with pytest.raises(RecipeError, match=r"bool \[B\]"):
            sample(quadratic, sgld(), torch.zeros(2, 2), transitions=1, emit=emit)


@pytest.mark.parametrize(
    "energy",
    [
        lambda p: p.x.sum(dim=1) - p.x.mean(),
        lambda p: p.x.square().sum(dim=1) * p.x.shape[1] + p.x.std(),
        lambda p: nn.functional.batch_norm(p.x, None, None, training=True).square().sum(dim=1),
        lambda p: p.x.square().sum(dim=1).cumsum(0).flip(0),
    ],
)
@pytest.mark.parametrize("start", [torch.ones(4, 2), torch.arange(6.0).view(3, 2)])
def test_an_energy_that_mixes_rows_is_refused(energy: Any, start: Tensor) -> None:
    with pytest.raises(CapabilityError, match="mixes rows"):
        sample(energy, sgld(), start, transitions=1)


def test_a_random_energy_is_refused_as_such() -> None:
    with pytest.raises(CapabilityError, match="random"):
        sample(lambda p: nn.functional.dropout(p.x + 1).sum(dim=1), sgld(), torch.ones(40, 64), transitions=1)


@pytest.mark.parametrize("returned", [1.5, None, "low"])
def test_an_energy_that_is_no_tensor_is_refused(returned: Any) -> None:
    with pytest.raises(CapabilityError, match=f"returned {type(returned).__name__} for 2 rows"):
        sample(lambda p: returned, sgld(), torch.zeros(2, 2), transitions=1)


@pytest.mark.parametrize("step_size", [0.0, -0.1, float("nan"), float("inf")])
def test_steps_must_be_positive(step_size: float) -> None:
    unchecked = [
        Mala(config=MalaConfig(), target=Target(), steps=StepSize(first=step_size)),
        Sequence([sgld(), Sgld(SgldConfig(step_size=step_size, noise=0.1), None)]),
    ]
    for sampler in unchecked:
        with pytest.raises(RecipeError, match="positive"):
            sample(quadratic, sampler, torch.zeros(2, 2), transitions=1)
    with pytest.raises(RecipeError, match="positive"):
        tuning = {"step_size": torch.tensor(step_size)}
        sample(quadratic, mala(), torch.zeros(2, 2), transitions=1, tuning=tuning)


def test_a_coordinate_that_the_chains_lack_is_named() -> None:
    class Spin:
        traits = SamplerTraits(moves=frozenset({"spin"}))

        def init(self, point: Point, rng: Any, tuning: Any = None) -> SamplerState:
            return SamplerState(point=point, rng=rng)

        def step(self, view: Any, state: Any, *, tail: Any = None) -> Any:
            raise AssertionError("moved")

    per_level = Mala(config=MalaConfig(), target=Target(), steps=StepSize(first=0.1, per="level", n_values=3))
    gibbs = build("sampler", "gibbs", coordinate="level")
    for sampler, name in [(Spin(), "spin"), (per_level, "level"), (gibbs, "level")]:
        with pytest.raises(CapabilityError, match=f"'{name}', but the chains have: no coordinate"):
            sample(quadratic, sampler, torch.zeros(2, 2), transitions=1)


def test_a_sampler_refuses_x_that_it_cannot_move() -> None:
    class Flip:
        traits = SamplerTraits(discrete=True)

        def init(self, point: Point, rng: Any, tuning: Any = None) -> Any:
            raise CapabilityError("flip moves whole numbers")

        def step(self, view: Any, state: Any, *, tail: Any = None) -> Any:
            raise AssertionError("moved")

    with pytest.raises(CapabilityError, match="whole"):
        sample(quadratic, Flip(), torch.zeros(2, 2), transitions=1)
    for name in ("sgld", "mala", "hmc", "underdamped"):
        with pytest.raises(CapabilityError, match="int64"):
            sample(quadratic, name, torch.zeros(2, 2, dtype=torch.long), transitions=1)


def test_a_start_that_is_not_finite_is_counted() -> None:
    x = torch.zeros(4, 2)
    x[1, 0] = torch.inf
    with pytest.raises(RecipeError, match="x that are not finite, in 1 of 4 chains"):
        sample(quadratic, sgld(), x, transitions=1)
    with pytest.raises(RecipeError, match="momentum that are not finite, in 4 of 4"):
        sample(quadratic, sgld(), Point(x=torch.zeros(4, 2), aux={"momentum": x / 0}), transitions=1)


def test_draws_can_be_saved() -> None:
    draws = ebmkit.sample(lambda x: x.square().sum(dim=1), "mala", torch.zeros(4, 2), transitions=2, progress=False)
    assert torch.equal(pickle.loads(pickle.dumps(draws)).x, draws.x)


def test_chains_start_at_an_array() -> None:
    start = torch.zeros(4, 2).numpy()
    draws = ebmkit.sample(lambda x: x.square().sum(dim=1), "mala", start, transitions=2, progress=False)  # type: ignore[arg-type]
    assert draws.x.shape == (2, 4, 2)


def test_weights_of_another_dtype_are_named() -> None:
    with pytest.raises(ebmkit.CapabilityError, match=r"weights are torch.float64 and x is torch.float32.*module.float"):
        ebmkit.sample(torch.nn.Linear(2, 1).double(), "mala", torch.zeros(4, 2), progress=False)
