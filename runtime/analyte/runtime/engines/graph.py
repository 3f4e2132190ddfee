"""The graph contract, checked at both ends: what goes into a graph and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.runtime.engines.protocol import GraphShape, Prediction

INPUT = "image"
COVARIATES = "covariates"
OUTPUTS = ("value", "sigma", "features")
_FIX = "Export the bundle again with this version of analyte"


def check_graph(
    inputs: Mapping[str, tuple[Sequence[object], object]], outputs: Mapping[str, object], *, where: object
) -> GraphShape:
    """Check names, types and rank of a graph and return what it takes.

    ``inputs``: shape (open dimensions as anything but a positive whole number) and dtype by name.
    ``outputs``: dtype by name. Raises: IntegrityError where the graph contract is broken.
    """
    if set(inputs) not in ({INPUT}, {INPUT, COVARIATES}):
        raise IntegrityError(
            "the graph has other inputs",
            where=where,
            expected=f"{INPUT}, and {COVARIATES} where it takes any",
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
        rank=len(dims),
        views=1 if len(dims) == 4 else _known(dims[1]),
        size=_known(dims[len(dims) - 2]),
        covariates=_width(*inputs[COVARIATES], where=where) if COVARIATES in inputs else 0,
    )


def _width(dims: Sequence[object], dtype: object, *, where: object) -> int:
    """Return how many covariates a graph takes. Raises: IntegrityError."""
    width = _known(dims[1]) if len(dims) == 2 else None
    if dtype != np.float32 or width is None:
        raise IntegrityError(
            "the graph takes another kind of covariates",
            where=where,
            expected="float32 [N, K]",
            got=f"{dtype} {list(dims)}",
            fix=_FIX,
        )
    return width


def to_graph(
    images: UInt8Array, covariates: Float32Array | None, shape: GraphShape
) -> dict[str, UInt8Array | Float32Array]:
    """Return the inputs by name in the layout of the graph, pictures without a copy.

    ``images``: uint8 ``[N, V, S, S, 3]``. ``covariates``: float32 ``[N, K]``; None where K is 0.
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
    inputs: dict[str, UInt8Array | Float32Array] = {INPUT: images[:, 0] if shape.rank == 4 else images}
    if covariates is None:
        covariates = np.zeros((len(images), 0), np.float32)
    if covariates.shape != (len(images), shape.covariates) or covariates.dtype != np.float32:
        raise InputError(
            "the covariates do not fit the graph",
            expected=f"float32 [{len(images)}, {shape.covariates}]",
            got=f"{covariates.dtype} {list(covariates.shape)}",
        )
    if shape.covariates:
        inputs[COVARIATES] = covariates
    return inputs


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
