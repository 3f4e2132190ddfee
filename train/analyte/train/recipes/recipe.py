"""What a recipe is: the trunk that turns one picture into features, and what suits it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BACKBONE_LAYER = "backbone"
"""Name of the layer (a nested model) that holds a published network, where a recipe has one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named architecture with the settings that it is used with unless the caller says otherwise."""

    name: str
    help: str
    """What it is good for, in one line."""
    trunk: Callable[[Any], Any]
    """From a symbolic tensor of pictures ``[M, S, S, C]`` to features ``[M, F]``, both float32."""
    size_step: int = 8
    """The picture's edge must be a multiple of this many pixels, so that pooling stays symmetric."""
    min_size: int = 16
    """Smallest edge of the picture, pixels."""
    invariant: bool = False
    """Whether the value is the same for quarter turns and mirror images of a picture."""
    colour: tuple[str, ...] = ("rgb", "surround")
    """Names of the colour planes that the trunk gets, see `analyte.train.colour`."""
    against_reference: tuple[str, ...] = ("absorbance",)
    """Names of those that join them where there is a reference view to compare with."""
    head: str = "histogram"
    """Name of the head, see `analyte.train.heads.registry`."""
    loss: str | None = None
    """Name of the loss; None takes the head's own."""
    hidden: int = 32
    """Units of the hidden layer between features and head; 0 for none."""
    learning_rate: float = 4e-3
    """Peak of the learning-rate schedule."""
    pretrained: bool = False
    """Whether the trunk holds a layer `BACKBONE_LAYER` that may start from weights in a file. It is frozen
    for the first part of the training, then trained at a tenth of the rate."""
