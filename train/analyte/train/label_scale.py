"""The scale on which a network learns the label, and the way back to the label's unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.label import LabelSpec

Transform = Literal["scale", "log", "none"]
TRANSFORMS: tuple[Transform, ...] = get_args(Transform)

_LOG_OFFSET = 0.01
"""Distance of a range that reaches 0 or below from the pole of the logarithm, as a fraction of the range."""


@dataclass(frozen=True, slots=True)
class LabelScale:
    """``z = (t(value) - middle) / half``: t is the identity, or ``ln(value + offset)`` where ``log``.

    ``scale``: the declared range becomes -1 to 1. ``log``: so does its logarithm: errors count relative to
    the value, as with dilution series. ``none``: z is the value itself, as tutorials do.
    """

    log: bool
    offset: float
    """Added before the logarithm, label's unit: 0 where the range lies above 0."""
    middle: float
    half: float
    low: float
    """z at the lower end of the declared range."""
    high: float
    """z at its upper end."""

    @classmethod
    def of(cls, label: LabelSpec, transform: Transform) -> LabelScale:
        """Return the scale for a label."""
        if transform == "none":
            return cls(False, 0.0, 0.0, 1.0, label.low, label.high)
        if transform == "scale":
            return cls(False, 0.0, (label.low + label.high) / 2.0, label.span / 2.0, -1.0, 1.0)
        offset = 0.0 if label.low > 0 else _LOG_OFFSET * label.span - label.low
        low, high = np.log(label.low + offset), np.log(label.high + offset)
        return cls(True, offset, float(low + high) / 2.0, float(high - low) / 2.0, -1.0, 1.0)

    def scaled(self, values: Float64Array) -> Float64Array:
        """Return z for values ``[N]`` in the label's unit.

        A value at or below the pole of the logarithm counts as one just above it.
        """
        if self.log:
            pole = np.exp(self.middle - 2.0 * self.half)
            values = np.log(np.maximum(values + self.offset, pole))
        result: Float64Array = (values - self.middle) / self.half
        return result

    def value(self, z: Any) -> Any:
        """Return the value in the label's unit, as a tensor, for z (tensor of any shape)."""
        value = keras.layers.Rescaling(self.half, self.middle)(z)
        if self.log:
            value = keras.layers.Rescaling(1.0, -self.offset)(keras.ops.exp(value))
        return value

    def width(self, sigma_z: Any, z: Any) -> Any:
        """Return a small width around z in the label's unit: ``sigma_z`` times the slope of `value` at z."""
        width = keras.layers.Rescaling(self.half)(sigma_z)
        if self.log:
            width = keras.ops.multiply(
                width, keras.ops.exp(keras.layers.Rescaling(self.half, self.middle)(z))
            )
        return width
