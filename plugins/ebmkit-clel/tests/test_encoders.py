"""Laws of the latent encoders."""

import pytest
import torch
from ebmkit_clel.declarations import ClelConfig
from ebmkit_clel.encoders import make_encoder

from ebmkit import CapabilityError


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_resnet18_has_the_published_size():
    encoder = make_encoder(ClelConfig(encoder="resnet18"), 64, (3, 32, 32), 128)
    assert round(n_parameters(encoder) / 1e6, 2) == 12.48


@pytest.mark.parametrize("name", ["resnet18", "small"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 5, 9)])
def test_latents_are_unit_vectors_for_images_of_any_size(name, shape):
    encoder = make_encoder(ClelConfig(encoder=name), 4, shape, 6)
    latent = encoder(torch.rand(3, *shape))
    assert latent.shape == (3, 6)
    torch.testing.assert_close(latent.norm(dim=1), torch.ones(3))


def test_only_larger_images_are_halved_in_the_stem():
    strides = [make_encoder(ClelConfig(encoder="resnet18"), 4, (3, n, n), 6).body[0].stride for n in (28, 32, 64)]
    assert strides == [(1, 1), (1, 1), (2, 2)]


def test_mean_and_deviation_of_the_data_are_a_layer():
    plain = make_encoder(ClelConfig(mean=(0.0,), std=(1.0,)), 4, (3, 8, 8), 6).eval()
    whitened = make_encoder(ClelConfig(mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0)), 4, (3, 8, 8), 6).eval()
    whitened.load_state_dict(plain.state_dict())
    x = torch.rand(2, 3, 8, 8)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.1, 0.2, 0.3), (0.5, 1.0, 2.0)))
    torch.testing.assert_close(whitened(x * std + mean), plain(x))


def test_a_mean_for_other_channels_is_refused():
    with pytest.raises(CapabilityError, match="2 values"):
        make_encoder(ClelConfig(mean=(0.5, 0.5)), 4, (3, 8, 8), 6)
