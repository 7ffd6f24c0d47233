"""Laws of the measures: they have no unit, and a run that lacks a signal has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.training.alarms import measures
from ebmkit.training.alarms.measures import Looked, Signals
from ebmkit.training.alarms.table import ALARMS, Alarm

POSITIVE = st.floats(1e-3, 1e3)
SIGNALS = {"data_sd": 0.5, "data_size": 0.6, "chain_sd": 0.4, "chain_distance": 0.7, "chain_displacement": 0.2}


def looked(now: Signals, *, temperature: float = 1.0, first: Signals | None = None) -> Looked:
    return Looked(now=now, first=first or {}, temperature=temperature, n_entries=2)


@pytest.mark.parametrize("alarm", [a for a in ALARMS if a.measure], ids=lambda alarm: alarm.name)
def test_a_run_without_a_signal_has_no_measure_of_it(alarm: Alarm) -> None:
    assert alarm.measure(looked({})) is None


@given(POSITIVE)
def test_measures_of_chains_do_not_depend_on_the_unit_of_x(unit: float) -> None:
    scaled = {name: value * unit for name, value in SIGNALS.items()}
    for measure in (measures.distance, measures.stillness):
        assert measure(looked(scaled)) == pytest.approx(measure(looked(SIGNALS)))


@given(POSITIVE, st.floats(-1e3, 1e3))
def test_energies_are_measured_in_units_of_the_temperature(temperature: float, gap: float) -> None:
    warm = looked({"gap": gap * temperature, "spread_positive": temperature}, temperature=temperature)
    one = looked({"gap": gap, "spread_positive": 1.0})
    assert measures.gap(warm) == pytest.approx(measures.gap(one))
    assert measures.energy_scale(warm) == pytest.approx(measures.energy_scale(one))


def test_where_the_temperature_is_nominal_the_unit_is_the_beginning_of_the_run() -> None:
    first = {"gap": 0.1, "spread_positive": 0.01}
    assert measures.gap(looked({"gap": -5e3}, temperature=5e-9, first=first)) == pytest.approx(5.0)
    assert measures.gap(looked({"gap": -50.0}, temperature=5e-9, first={"gap": 1e-9})) == pytest.approx(5.0)


def test_chains_that_are_far_away_say_nothing_of_the_gap() -> None:
    assert measures.gap(looked({"gap": -1e6, "chain_distance": 100.0, "data_size": 1.0})) is None


def test_black_pixels_of_the_data_are_no_saturation() -> None:
    assert measures.saturated(looked({"saturated": 0.6, "saturated_data": 0.6})) == 0.0
    assert measures.saturated(looked({"saturated": 1.0, "saturated_data": 0.6})) == pytest.approx(1.0)


def test_data_out_of_reach_are_not_called_collapsed_chains() -> None:
    wide = {"data_sd": 1e3, "data_size": 1e3, "chain_sd": 1.0, "chain_distance": 100.0}
    assert measures.data_scale(looked(wide)) == 1e3
    assert measures.collapse(looked(wide)) is None
    away = {"data_sd": 1.0, "data_size": 1e3, "chain_sd": 1.0, "chain_distance": 1e3}
    assert measures.data_scale(looked(away)) == 1e3
    assert measures.distance(looked(away)) == 1.0
    alike = {"data_sd": 1.0, "data_size": 1.0, "chain_sd": 0.0}
    assert measures.data_scale(looked(alike)) is None
    assert measures.collapse(looked(alike)) == float("inf")


def test_a_buffer_is_not_blamed_where_chains_do_not_move() -> None:
    assert measures.unchanged(looked({**SIGNALS, "buffer_unchanged": 9.0})) == 9.0
    assert measures.unchanged(looked({**SIGNALS, "chain_displacement": 0.0, "buffer_unchanged": 9.0})) is None


def test_a_network_may_begin_at_zero() -> None:
    zero = {"loss": 0.0, "gap": 0.0, "spread_positive": 0.0, "gradient_norm.energy": 0.0}
    usual = {"loss": 0.3, "gap": 0.3, "spread_positive": 0.1, "gradient_norm.energy": 2.0}
    for alarm in ALARMS:
        value = alarm.measure(looked(usual, temperature=5e-9, first=zero)) if alarm.measure else None
        assert value is None or value < alarm.warn or alarm.warn == 0, alarm.name
