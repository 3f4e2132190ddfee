"""Colour planes brought to one range before they meet: integers have one scale for all of them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.run import graph_input

_BATCH = 64


def balance_planes(trunk: keras.Model, images: UInt8Array) -> None:
    """Scale the planes to the same range and the first convolution's kernel back, in place.

    The trunk says the same afterwards. Nothing is done where its planes do not end in Rescaling layers that
    are concatenated for one convolution. ``images``: uint8 ``[N, V, S, S, 3]``, RGB. The method is that of
    cross-layer equalization (Nagel et al., 2019, Data-free quantization), with ranges that are measured.
    """
    found = _planes(trunk)
    if found is None:
        return
    planes, convolution = found
    kernel, *bias = convolution.get_weights()
    widths = [int(plane.output.shape[-1]) for plane in planes]
    if sum(widths) != kernel.shape[2]:
        return
    ranges = _ranges(trunk, planes, images)
    start = 0
    for plane, width, reach in zip(planes, widths, ranges, strict=True):
        factor = max(ranges) / max(reach, 1e-6)
        plane.scale = np.asarray(plane.scale, np.float32) * factor
        plane.offset = np.asarray(plane.offset, np.float32) * factor
        kernel[:, :, start : start + width] /= factor
        start += width
    convolution.set_weights([kernel, *bias])


def _planes(trunk: keras.Model) -> tuple[list[Any], Any] | None:
    """Return the Rescaling layers that make the planes, and the convolution that takes them together."""
    for operation in trunk.operations:
        if not operation.name.startswith("concatenate"):
            continue
        (node,) = operation._inbound_nodes
        planes = [parent.operation for parent in node.parent_nodes]
        takers = [
            taker.operation for taker in operation._outbound_nodes if taker.operation in trunk.operations
        ]
        alone = all(
            isinstance(plane, keras.layers.Rescaling)
            and len(plane._inbound_nodes) == 1
            and len([taker for taker in plane._outbound_nodes if taker.operation in trunk.operations]) == 1
            for plane in planes
        )
        if (
            alone
            and len(set(map(id, planes))) == len(planes)
            and len(takers) == 1
            and len(takers[0]._inbound_nodes) == 1
            and isinstance(takers[0], keras.layers.Conv2D)
        ):
            return planes, takers[0]
        return None
    return None


def _ranges(trunk: keras.Model, planes: list[Any], images: UInt8Array) -> list[float]:
    """Return the width of each plane's range, which always holds 0."""
    model = keras.Model(trunk.input, [plane.output for plane in planes])
    low, high = np.zeros(len(planes)), np.zeros(len(planes))
    for start in range(0, len(images), _BATCH):
        given = graph_input(images[start : start + _BATCH]).astype(np.float32)
        for index, plane in enumerate(model(given)):
            numbers = keras.ops.convert_to_numpy(plane)
            low[index] = min(low[index], float(numbers.min()))
            high[index] = max(high[index], float(numbers.max()))
    return [float(width) for width in high - low]
