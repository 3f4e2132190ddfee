"""Parity for people: tables, and the pictures on which a failing artifact is worst."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.bundle import GoldenSet
from analyte.contract.errors import OutputError
from analyte.contract.output import from_os_error
from analyte.export.parity import Parity, WorstImage
from analyte.export.parity_photographs import PhotographParity
from analyte.runtime.selftest import SelfTestResult
from analyte.runtime.tables import format_table

_ENLARGED_PX = 256
"""Least edge of a written picture: what a network sees is too small to look at."""


def parity_text(parity: Parity, unit: str) -> str:
    """Return the tables, each row one case at all its numbers of threads and batch sizes."""
    parts = [_golden_table(parity.results), f"Deviations from Keras in {unit}."]
    if parity.photographs is not None:
        parts += ["", _photograph_table(parity.photographs)]
    if parity.worst:
        parts += ["", _worst_table(parity.worst, unit)]
    parts.append(f"Keras now and in the golden set differ by at most {parity.golden_deviation:.2g} {unit}.")
    return "\n".join(parts)


def _golden_table(results: Sequence[SelfTestResult]) -> str:
    by_case: dict[tuple[str, str, str], list[SelfTestResult]] = {}
    for row in results:
        by_case.setdefault((row.artifact, row.engine, row.provider), []).append(row)
    header = (
        "artifact", "engine", "provider", "threads", "batch", "n",
        "mean", "p99", "max", "sigma", "tolerance", "",
    )  # fmt: skip
    rows = [
        (
            *case,
            _several(row.threads for row in group),
            _several(row.batch for row in group),
            str(group[0].n),
            _largest(row.mean_deviation for row in group),
            _largest(row.p99_deviation for row in group),
            _largest(row.max_deviation for row in group),
            _farthest(row.sigma_ratio for row in group),
            f"{group[0].tolerance:.3g}",
            _verdict(group),
        )
        for case, group in by_case.items()
    ]
    return format_table(header, rows, right=frozenset(range(3, 11)))


def _photograph_table(photographs: PhotographParity) -> str:
    header = (
        "artifact", "engine", "provider", "n", "mean", "p99", "max", "sigma", "tolerance", "refused",
        "judged otherwise", "",
    )  # fmt: skip
    rows = [
        (
            row.artifact,
            row.engine,
            row.provider,
            str(row.n),
            _largest([row.mean_deviation]),
            _largest([row.p99_deviation]),
            _largest([row.max_deviation]),
            _farthest([row.sigma_ratio]),
            f"{row.tolerance:.3g}",
            str(row.refused),
            str(row.judged_otherwise),
            _verdict([row]),
        )
        for row in photographs.results
    ]
    title = f"From {photographs.samples} samples' photographs of {photographs.dataset} on, one at a time:"
    return f"{title}\n{format_table(header, rows, right=frozenset(range(3, 11)))}"


def _worst_table(worst: Sequence[WorstImage], unit: str) -> str:
    header = ("artifact", "provider", "golden image", "true", "Keras", "artifact says", "off by")
    rows = [
        (
            image.artifact,
            image.provider,
            str(image.index),
            f"{image.true:.6g}",
            f"{image.keras:.6g}",
            "not finite" if image.value is None else f"{image.value:.6g}",
            "" if image.value is None else f"{image.value - image.keras:+.3g}",
        )
        for image in worst
    ]
    return (
        f"Worst images of what failed, in {unit}:\n{format_table(header, rows, right=frozenset(range(2, 7)))}"
    )


def _several(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(set(numbers))))


def _largest(numbers: Iterable[float | None]) -> str:
    given = list(numbers)
    found = [number for number in given if number is not None]
    return f"{max(found):.3g}" if len(found) == len(given) else "not finite"


def _farthest(ratios: Iterable[float | None]) -> str:
    given = list(ratios)
    found = [ratio for ratio in given if ratio is not None]
    if len(found) < len(given):
        return "not finite"
    return f"x {max(found, key=lambda ratio: abs(ratio - 1)):.3f}"


def _verdict(rows: Sequence[SelfTestResult]) -> str:
    failed = [row for row in rows if not row.passed]
    if not failed:
        return "passed"
    return "FAILED" if len(rows) == len(failed) else f"FAILED ({len(failed)} of {len(rows)})"


def write_worst(worst: Sequence[WorstImage], golden: GoldenSet, folder: Path) -> list[Path]:
    """Write the golden images on which failing artifacts are worst, views side by side, and return the files.

    Raises: OutputError.
    """
    files: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, folder) from error
    for image in worst:
        views = np.concatenate(list(golden.images[image.index]), axis=1)
        factor = max(1, -(-_ENLARGED_PX // views.shape[0]))
        # Nearest: the very pixels that the network saw.
        shown = cv2.resize(views, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
        file = folder / f"{image.artifact}-{image.provider}-{image.index}.png"
        good, data = cv2.imencode(".png", cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
        if not good:
            raise OutputError("the picture cannot be encoded", where=file)
        try:
            file.write_bytes(data.tobytes())
        except OSError as error:
            raise from_os_error(error, file) from error
        files.append(file)
    return files
