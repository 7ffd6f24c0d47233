"""The energy and the encoder exchange no gradient, and the checks of the kit would see one."""

import pytest
from ebmkit_clel.objective import Clel

from ebmkit.errors import EbmkitError
from ebmkit.plugins.host import host
from ebmkit.testing import checks_for

views = Clel._encoded_views


def target_with_graph(self, phases):
    """The guidance moves the encoder towards what the energy has already."""
    _, views_a, views_b = views(self, phases)
    return views_a, views_a, views_b


def keys_with_graph(self, phases):
    """The contrast moves the energy away from where its chains are."""
    return phases.evaluate("negative", "latent"), None


def owners():
    return next(check for check in checks_for(host().get("objective", "clel")) if check.name == "clel/owners")


def test_none_is_exchanged():
    owners().run()


@pytest.mark.parametrize(
    ("method", "wrong", "loss"),
    [("_encoded_views", target_with_graph, "guidance"), ("_extra_keys", keys_with_graph, "contrastive")],
)
def test_a_leak_is_seen(method, wrong, loss, monkeypatch):
    monkeypatch.setattr(Clel, method, wrong)
    with pytest.raises(EbmkitError, match=f"loss '{loss}' has a gradient in .* of the energy and in its own 'encoder"):
        owners().run()
