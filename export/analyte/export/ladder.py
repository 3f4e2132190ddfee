"""What quantization may do to keep the number, in the order of cost; the first that passes is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Literal, get_args

from analyte.contract.manifest import Precision
from analyte.export.source import Source

Rung = Literal["refit", "equalization", "bias correction", "fine-tuning"]
QUANTIZED: frozenset[Precision] = frozenset({"int8", "int8-strict", "int16x8"})
"""Precisions that these means help; the ranges of dynamic ones are nobody's to set."""
RUNGS: tuple[Rung, ...] = get_args(Rung)


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


class Ladder:
    """A source after each of the means, made when it is first asked for and kept for other formats."""

    def __init__(self, source: Source) -> None:
        self._at = cache(lambda rung: _STEPS[rung](source))

    def climb(self) -> Iterator[tuple[Rung, Source]]:
        """Give every rung with what it makes of the source, the cheapest first. All refit the head."""
        for rung in RUNGS:
            yield rung, self._at(rung)
