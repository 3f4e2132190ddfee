"""The correction that brings a chart's measured colours to those that its maker states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array
from analyte.contract.colour_calibration import ColourModel, Residual
from analyte.runtime.colour.delta_e import delta_e_2000, linear_to_lab
from analyte.runtime.colour.references import Chart

MODELS: tuple[ColourModel, ...] = ("linear", "affine", "root-polynomial")
"""From the plainest; a richer one must predict patches that it has not seen better by `_WORTH_IT`."""
_WORTH_IT = 0.05

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted correction and how well it does."""

    model: ColourModel
    matrix: Float64Array
    """Linear sRGB from `terms`, float64 ``[3, T]``."""
    before: Residual
    after: Residual
    left_out: Residual
    """Of patches that the fit had not seen, one at a time."""
    differences: Float64Array
    """Of each patch used, Delta E 2000, ``[24]``; NaN where a patch was clipped."""
    left_out_differences: Float64Array


def terms(linear: Float64Array, model: ColourModel) -> Float64Array:
    """Return what a correction is linear in, ``[..., T]``, from linear light ``[..., 3]``.

    Root polynomials of degree 2 scale with the exposure as light itself does: Finlayson, Mackiewicz &
    Hurlbert, "Color correction using root-polynomial regression", IEEE Trans. Image Process. 24 (2015)
    1460.
    """
    light = np.maximum(linear, 0.0)
    if model == "linear":
        return light
    if model == "affine":
        return np.concatenate([light, np.ones_like(light[..., :1])], axis=-1)
    r, g, b = light[..., 0], light[..., 1], light[..., 2]
    return np.concatenate([light, np.sqrt(np.stack([r * g, g * b, r * b], axis=-1))], axis=-1)


def fit_chart(linear: Float64Array, chart: Chart, used: Sequence[bool]) -> Fit:
    """Fit every model to measured patches ``[24, 3]`` and return the one that generalises best.

    Least squares in linear light, each patch weighted by the slope of CIE lightness at its own, so that
    dark patches count as an eye counts them. ``used``: patches that are not clipped.
    """
    mask = np.asarray(used, bool)
    fits = [_fit(linear, chart, mask, model) for model in MODELS]
    best = fits[0]
    for fit in fits[1:]:
        if fit.left_out.mean < (1.0 - _WORTH_IT) * best.left_out.mean:
            best = fit
    return best


def differences_of(
    linear: Float64Array, chart: Chart, matrix: Float64Array, model: ColourModel
) -> Float64Array:
    """Return how far corrected patches ``[24, 3]`` lie from the chart's colours, Delta E 2000,
    ``[24]``."""
    corrected = np.clip(terms(linear, model) @ matrix.T, 0.0, None)
    return delta_e_2000(linear_to_lab(corrected), chart.lab)


def residual_of(differences: Float64Array) -> Residual:
    """Return mean and largest of differences, those of clipped patches (NaN) left out."""
    return Residual(mean=float(np.nanmean(differences)), max=float(np.nanmax(differences)))


def _fit(linear: Float64Array, chart: Chart, mask: _Mask, model: ColourModel) -> Fit:
    before = np.where(mask, differences_of(linear, chart, np.eye(3), "linear"), np.nan)
    matrix = _solve(linear, chart, mask, model)
    after = np.where(mask, differences_of(linear, chart, matrix, model), np.nan)
    left_out = np.full(len(mask), np.nan)
    for patch in np.flatnonzero(mask):
        others = mask.copy()
        others[patch] = False
        left_out[patch] = differences_of(linear, chart, _solve(linear, chart, others, model), model)[patch]
    return Fit(model, matrix, residual_of(before), residual_of(after), residual_of(left_out), after, left_out)


def _solve(linear: Float64Array, chart: Chart, mask: _Mask, model: ColourModel) -> Float64Array:
    weights = np.maximum(chart.linear[mask] @ np.array([0.2126, 0.7152, 0.0722]), 0.01) ** (-2.0 / 3.0)
    design = terms(linear[mask], model) * weights[:, np.newaxis]
    solution = np.linalg.lstsq(design, chart.linear[mask] * weights[:, np.newaxis], rcond=None)[0]
    return np.asarray(solution.T, np.float64)
