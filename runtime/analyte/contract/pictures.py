"""From samples to arrays, by the device's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.dataset import Sample
from analyte.contract.errors import DatasetError, ImageError
from analyte.contract.imaging import read_image
from analyte.contract.preprocessing import PreprocessingSpec, preprocess

_SHOWN = 8
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
                place = f"row {view.row}: " if view.row else ""
                problems.append(f"{place}{error.line()}")
        on_progress(1)
    if problems:
        more = len(problems) - _SHOWN
        listed = "; ".join(problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise DatasetError(f"{len(problems)} pictures cannot be used: {listed}", where=where)
    return images
