"""What every sampler promises: p is invariant where it says so, rows do not know each other, and it is pure."""

from __future__ import annotations

from functools import partial

from ebmkit.testing.bias import bias_order
from ebmkit.testing.costs import counts_its_gradients, counts_its_proposals, never_reads_a_tensor
from ebmkit.testing.examined import Promise
from ebmkit.testing.invariance import knows_the_temperature, stays_in
from ebmkit.testing.rows import rows_do_not_meet
from ebmkit.testing.starts import EVERY
from ebmkit.testing.tails import graph_of_the_tail
from ebmkit.testing.transitions import (
    is_pure,
    moves_what_it_says,
    passes_a_graph_on,
    refuses_a_tail,
    refuses_what_is_not_finite,
    stays_within,
    takes_up_its_tuning,
)

LAW = "chains that start as exact draws of a law are exact draws of it after any number of transitions"
PROMISES = (
    Promise(name="pure", text="a transition is a function of chains, tuning and its stream alone", look=is_pure),
    *(Promise(name=f"law-{law.name}", text=LAW, look=partial(stays_in, law=law)) for law in EVERY),
    Promise(name="temperature", text="at any T what is sampled is p ∝ exp(−E/T)", look=knows_the_temperature),
    Promise(name="bias-order", text="the bias shrinks with the step at the declared order", look=bias_order),
    Promise(name="rows", text="each chain is moved by itself", look=rows_do_not_meet),
    Promise(name="float64", text="what is in float64 stays in float64", look=partial(is_pure, double=True)),
    Promise(name="moves", text="it moves what its traits say", look=moves_what_it_says),
    Promise(name="walls", text="x stays within the range of the data", look=stays_within),
    Promise(name="finite", text="no proposal without a finite energy is accepted", look=refuses_what_is_not_finite),
    Promise(name="tuning", text="chains go on with the tuning that they are handed", look=takes_up_its_tuning),
    Promise(name="gradients", text="it reports the gradients that it asks for", look=counts_its_gradients),
    Promise(name="acceptance", text="acceptance is accepted proposals over proposals", look=counts_its_proposals),
    Promise(name="host", text="the host reads no tensor inside a transition", look=never_reads_a_tensor),
    Promise(name="tail", text="the graph of the last moves is that of the accepted path", look=graph_of_the_tail),
    Promise(name="no-tail", text="a tail that is not kept is refused", look=refuses_a_tail),
    Promise(name="passes-tail", text="a graph that x carries is passed on", look=passes_a_graph_on),
)
"""Of every sampler, chosen by its traits when they are looked at."""
