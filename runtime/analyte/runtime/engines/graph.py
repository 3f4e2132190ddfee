"""The graph contract, checked at both ends: what goes into a graph and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.runtime.engines.protocol import GraphShape, Prediction

INPUT = "image"
OUTPUTS = ("value", "sigma", "features")
_FIX = "Export the bundle again with this version of analyte"


def check_graph(
    inputs: Mapping[str, tuple[Sequence[object], object]], outputs: Mapping[str, object], *, where: object
) -> GraphShape:
    """Check names, types and rank of a graph and return what it takes.

    ``inputs``: shape (open dimensions as anything but a positive whole number) and dtype by name.
    ``outputs``: dtype by name. Raises: IntegrityError where the graph contract is broken.
    """
    if list(inputs) != [INPUT]:
        raise IntegrityError(
            "the graph has other inputs",
            where=where,
            expected=INPUT,
            got=", ".join(inputs) or "none",
            fix=_FIX,
        )
    missing = [name for name in OUTPUTS if name not in outputs]
    if missing:
        raise IntegrityError(
            f"the graph has no output {missing[0]!r}", where=where, got=", ".join(outputs) or "none", fix=_FIX
        )
    dims, dtype = inputs[INPUT]
    if dtype != np.uint8 or len(dims) not in (4, 5):
        raise IntegrityError(
            "the graph takes another kind of picture",
            where=where,
            expected="uint8 [N, S, S, 3] or [N, V, S, S, 3]",
            got=f"{dtype} {list(dims)}",
            fix=_FIX,
        )
    wrong = [name for name in OUTPUTS if outputs[name] != np.float32]
    if wrong:
        raise IntegrityError(
            f"output {wrong[0]!r} of the graph has another type",
            where=where,
            expected="float32",
            got=outputs[wrong[0]],
            fix=_FIX,
        )
    return GraphShape(
        rank=len(dims), views=1 if len(dims) == 4 else _known(dims[1]), size=_known(dims[len(dims) - 2])
    )


def to_graph(images: UInt8Array, shape: GraphShape) -> UInt8Array:
    """Return ``images``, uint8 ``[N, V, S, S, 3]``, in the layout of the graph, without a copy.

    Raises: InputError when they do not fit.
    """
    fits = (
        images.dtype == np.uint8
        and images.ndim == 5
        and images.shape[0] > 0
        and images.shape[2] == images.shape[3]
        and images.shape[4] == 3
        and shape.views in (None, images.shape[1])
        and shape.size in (None, images.shape[2])
    )
    if not fits:
        views, size = shape.views or "V", shape.size or "S"
        raise InputError(
            "the pictures do not fit the graph",
            expected=f"uint8 [N, {views}, {size}, {size}, 3] with N >= 1",
            got=f"{images.dtype} {list(images.shape)}",
        )
    return images[:, 0] if shape.rank == 4 else images


def to_prediction(value: Any, sigma: Any, features: Any, n: int) -> Prediction:
    """Bind the outputs for ``n`` samples. Raises: IntegrityError when their layout breaks the contract."""
    if value.shape != (n,) or sigma.shape != (n,) or features.ndim != 2 or features.shape[0] != n:
        raise IntegrityError(
            "the graph gives another layout",
            expected=f"value [{n}], sigma [{n}], features [{n}, F]",
            got=f"{list(value.shape)}, {list(sigma.shape)}, {list(features.shape)}",
            fix=_FIX,
        )
    return Prediction(value=value, sigma=sigma, features=features)


def _known(dim: object) -> int | None:
    # numpy integers (LiteRT), int, str or None (ONNX): open dimensions are -1, a name or None.
    return int(dim) if isinstance(dim, int | np.integer) and dim > 0 else None
