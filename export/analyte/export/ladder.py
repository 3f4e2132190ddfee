"""What quantization may do to keep the number, in the order of cost; the first that passes is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import Literal, get_args

import numpy as np

from analyte.contract.manifest import Precision
from analyte.export.gate import Judged
from analyte.export.source import Source
from analyte.export.trained_model import predict

Rung = Literal["refit", "equalization", "bias correction", "fine-tuning", "float layers"]
QUANTIZED: frozenset[Precision] = frozenset({"int8", "int8-strict", "int16x8"})
"""Precisions that these means help; the ranges of dynamic ones are nobody's to set."""
RUNGS: tuple[Rung, ...] = get_args(Rung)
_JUDGED = 128
"""Training pictures on which layers are compared."""


def _equalized(source: Source) -> Source:
    from analyte.export.equalization import equalize

    return source.with_model(equalize(source.model))


def _unbiased(source: Source) -> Source:
    from analyte.export.bias_correction import correct_bias

    return source.with_model(correct_bias(_equalized(source)))


def _fine_tuned(source: Source) -> Source:
    from analyte.export.fine_tuning import fine_tune

    return source.with_model(fine_tune(_equalized(source)))


_STEPS: Mapping[Rung, Callable[[Source], Source]] = {
    "refit": lambda source: source,
    "equalization": _equalized,
    "bias correction": _unbiased,
    "fine-tuning": _fine_tuned,
}
"""What changes weights only."""


class Ladder:
    """A source after each of the means, made when it is first asked for and kept for other formats."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = cache(lambda rung: _STEPS[rung](source))

    def climb(self, *, floats: bool) -> Iterator[tuple[Rung, Source]]:
        """Give every rung with what it makes of the source, the cheapest first. All refit the head.

        ``floats``: whether layers may be left in float, at last: those that lose most, ever more of them, up
        to three quarters of all.
        """
        for rung in _STEPS:
            yield rung, self._at(rung)
        worst = self._worst_layers if floats else []
        count = 1
        while count <= 3 * len(worst) // 4:
            yield "float layers", self._source.keeping(worst[:count])
            count *= 2

    @cached_property
    def _worst_layers(self) -> list[str]:
        """Return the layers that integers cost most in, the worst first, by training pictures."""
        from analyte.export.sensitivity import layer_losses

        step = max(1, len(self._source.recorded) // _JUDGED)
        images = self._source.recorded[::step]
        beside = None if self._source.covariates is None else self._source.covariates[::step]
        said = predict(self._source.model, images, beside)
        judged = Judged(images, said.value.astype(np.float64), said, covariates=beside)
        losses = layer_losses(self._source, judged)
        return [loss.layer for loss in losses if loss.layer not in self._source.keep_float]
