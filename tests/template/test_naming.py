"""Names of plugins: what can be a package, a module, a class and a part at once, and is not taken."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebmkit.errors import RecipeError
from ebmkit.plugins.host import host
from ebmkit.template.naming import LONGEST, checked_name, wrong_letters


@pytest.mark.parametrize("asked", ["tamed", "ebmkit-tamed"])
def test_the_prefix_of_the_package_is_not_part_of_the_name(asked):
    assert checked_name(asked, "sampler", host()) == "tamed"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("my idea", "'my-idea' can."),
        ("MyIdea", "'myidea' can."),
        ("my_idea", "'my-idea' can."),
        ("", "Choose another one."),
        ("ebmkit-", "small letters"),
        ("2fast", "begins with a letter"),
        ("../evil", "'evil' can."),
        ("class", "a word of Python"),
        ("none", "a word of Python"),
        ("declarations", "a file of the package"),
        ("a" * (LONGEST + 1), f"{LONGEST} are the most"),
        ("mala", "there is the sampler 'mala' of ebmkit-core"),
        ("ebmkit-core", "there is the plugin 'core'"),
        ("clel", "there is the objective 'clel'"),
        ("diffusion", "there is the plugin 'diffusion' of ebmkit-diffusion"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_words(asked, said):
    with pytest.raises(RecipeError) as found:
        checked_name(asked, "sampler", host())
    assert said in str(found.value)


def test_an_objective_is_not_called_what_a_checkpoint_calls_something_else():
    with pytest.raises(RecipeError, match="checkpoint"):
        checked_name("energy", "objective", host())


@given(st.text(st.sampled_from("ab-_ .A9/'\"{%\n\\é"), max_size=LONGEST + 2))
def test_what_is_accepted_is_a_name_everywhere(name):
    if not wrong_letters(name):
        module = name.replace("-", "_")
        assert module.isidentifier() and module.isascii() and not keyword.iskeyword(module)
        assert len(name) <= LONGEST
