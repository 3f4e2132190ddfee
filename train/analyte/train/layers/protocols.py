"""What a layer must say of itself so that the saved model can do without it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from analyte.contract.arrays import Float64Array


@runtime_checkable
class FoldingConvolution(Protocol):
    """A trainable convolution, stride 1 and zero-padded to the size of its input, that a stock one can do."""

    def kernel_and_bias(self) -> tuple[Float64Array, Float64Array]:
        """Return the stock kernel ``[h, w, C_in, C_out]`` and bias ``[C_out]``, both float64."""
        ...


@runtime_checkable
class FoldingNormalization(Protocol):
    """A trainable normalization that, once trained, is one factor and one offset per channel.

    It must directly follow a convolution, whose weights take both over.
    """

    def scale_and_offset(self) -> tuple[Float64Array, Float64Array]:
        """Return factor and offset per channel, each float64 ``[C]``: ``y = scale * x + offset``."""
        ...
