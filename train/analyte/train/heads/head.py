"""What a head is: the last layers, which turn features into a value and say how sure they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.train.label_scale import LabelScale


class HeadTensors(NamedTuple):
    """Symbolic tensors of a head, on the scale of `analyte.train.label_scale.LabelScale`."""

    fitted: Any
    """float32 ``[N]`` or ``[N, K]``: what the loss compares with the head's targets."""
    z: Any
    """float32 ``[N]``: the value."""
    sigma: Any
    """float32 ``[N]``: its standard deviation, above 0."""


@dataclass(frozen=True, slots=True)
class Head:
    """A way to end a network."""

    name: str
    help: str
    """What it is good for, in one line."""
    build: Callable[[Any, LabelScale], HeadTensors]
    """From features ``[N, F]`` (symbolic, float32)."""
    targets: Callable[[Float64Array, LabelScale], Float32Array]
    """From z ``[N]`` to what ``fitted`` is compared with, float32 ``[N]`` or ``[N, K]``."""
    losses: tuple[str, ...]
    """Names of the losses that fit this head; the first is its own."""
    loss: Callable[[str, LabelScale], Callable[[Any, Any], Any]]
    """From a name in ``losses`` to a function of targets and ``fitted`` that gives a loss per sample."""
    bounded: bool = False
    """Whether the value stays in the declared range."""
    learns_sigma: bool = True
    """Whether sigma comes from the picture; else it is one number, set from the validation residuals."""
