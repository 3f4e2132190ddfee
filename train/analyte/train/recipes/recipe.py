"""What a recipe is: the trunk that turns one picture into features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named architecture."""

    name: str
    help: str
    """What it is good for, in one line."""
    trunk: Callable[[Any], Any]
    """From a symbolic tensor of pictures ``[M, S, S, C]`` to features ``[M, F]``, both float32."""
    size_step: int
    """The picture's edge must be a multiple of this many pixels, so that pooling stays symmetric."""
    invariant: bool
    """Whether the value is the same for quarter turns and mirror images of a picture."""
