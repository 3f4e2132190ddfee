"""From samples to arrays, by the device's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.dataset import Sample, View
from analyte.contract.errors import DatasetError, ImageError
from analyte.contract.imaging import read_image
from analyte.contract.preprocessing import PreprocessingSpec, preprocess

_SHOWN = 4
"""How many unreadable pictures an error names before it says how many more there are."""


def load_pictures(
    samples: Sequence[Sample],
    spec: PreprocessingSpec,
    *,
    where: object,
    on_progress: Callable[[int], object] = lambda done: None,
) -> UInt8Array:
    """Read and preprocess every view of every sample.

    ``on_progress`` is called with the number of samples just done. Returns: uint8 ``[N, V, S, S, 3]``, RGB.
    Raises: DatasetError that lists the pictures which cannot be used, with their rows.
    """
    views = len(samples[0].views) if samples else 1
    images = np.empty((len(samples), views, spec.size, spec.size, 3), np.uint8)
    problems: list[str] = []
    for index, sample in enumerate(samples):
        last_path, last_image = None, None
        for position, view in enumerate(sample.views):
            try:
                # Views are often regions of one photograph: it is decoded once.
                if view.path != last_path or last_image is None:
                    last_image, last_path = read_image(view.path), view.path
                preprocess(last_image, spec, view.region, where=view.path, out=images[index, position])
            except ImageError as error:
                problems.append(_described(view, error, where))
        on_progress(1)
    if problems:
        more = len(problems) - _SHOWN
        listed = "; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        noun = "picture" if len(problems) == 1 else "pictures"
        raise DatasetError(
            f"{len(problems)} {noun} cannot be used: {listed}",
            where=where,
            fix="Replace them or take their rows out; 'analyte data check' lists them all",
        )
    return images


def _described(view: View, error: ImageError, where: object) -> str:
    """Return row, file (as the labels name it) and what is wrong, without the formats that were expected."""
    path = view.path
    if isinstance(where, Path) and path.is_relative_to(where):
        path = path.relative_to(where)
    what = error.what if error.got is None else f"{error.what} ({error.got})"
    return f"row {view.row}: {path}: {what}" if view.row else f"{path}: {what}"
