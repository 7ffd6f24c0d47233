"""A norm, an activation and a convolution that cost little when they are differentiated twice.

The graph of a Langevin move needs ∂²E/∂x∂θ. Torch differentiates the kernels of its group norm and of its SiLU twice by
writing them out in dozens of passes over the feature map, and on a CPU these kernels are 10 to 60 times slower in
channels-last, the format in which convolutions are fastest. Here every derivative, up to the second, is a closed form,
in the memory format of its input. A third derivative there is none.
"""

from ebmkit.ops.double_backward.activation import silu
from ebmkit.ops.double_backward.convolution import convolved, gradients_in_x_alone
from ebmkit.ops.double_backward.normalisation import normalised

__all__ = ["convolved", "gradients_in_x_alone", "normalised", "silu"]
