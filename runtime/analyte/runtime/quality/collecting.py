"""The figures of photographs that are known to be good."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.dataset import Sample
from analyte.contract.errors import ImageError
from analyte.contract.labels_file import SPEC_FILE, load_dataset
from analyte.contract.preprocessing import Box, PreprocessingSpec, preprocess
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.quality.empty import refuse_empty
from analyte.runtime.quality.figures import FIGURES, FigureName, Look
from analyte.runtime.quality.learning import LEARNED, RATIOS
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.regions.protocol import Located, RegionFinder
from analyte.runtime.sources.folder import image_files, read_frame
from analyte.runtime.sources.frame_size import sized
from analyte.runtime.sources.protocol import BadFrame

_CUT_OUT = PreprocessingSpec(size=32)
"""Stands for any bundle's: of what is learned only means over the cut-out depend on it, and they do not."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One sample of a dataset, or one picture of a folder."""

    name: str
    paths: tuple[Path, ...]
    """The picture of each view; the same one where it shows several."""
    regions: Mapping[str, Box]
    """By view, pixels; empty where the labels give none."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What was found of all photographs."""

    names: tuple[str, ...]
    """Of the good ones: file or sample, and site where a frame has several."""
    figures: Mapping[FigureName, Float64Array]
    """By name, ``[N, V]``, finite, and above 0 where they vary by factors; light as a level, 0 to 1."""
    left_out: tuple[str, ...]
    """The others, each with the reason, for people."""
    copies: tuple[str, ...] = ()
    """Those that are bit for bit the same as another one: they tell nothing new and do not count."""


def find_photographs(path: Path) -> tuple[list[Photograph], tuple[str, ...] | None]:
    """Return the samples of a dataset and its views, or the pictures of a folder and None.

    Values play no part, so a unit is not asked for.
    Raises: DatasetError for labels that cannot be used, or where there are neither labels nor pictures.
    """
    if path.is_dir() and not (path / "labels.csv").is_file() and (files := image_files(path)):
        return [Photograph(file.name, (file,), {}) for file in files], None
    folder = path if path.is_dir() else path.parent
    dataset = load_dataset(path, unit=None if (folder / SPEC_FILE).is_file() else "any")
    return [_of_sample(sample, dataset.spec.views) for sample in dataset.samples], dataset.spec.views


def _of_sample(sample: Sample, names: Sequence[str]) -> Photograph:
    regions = {
        name: view.region for name, view in zip(names, sample.views, strict=True) if view.region is not None
    }
    return Photograph(sample.id, tuple(view.path for view in sample.views), regions)


def collect(
    photographs: Sequence[Photograph],
    views: Sequence[str],
    finder: RegionFinder | None = None,
    on_progress: Callable[[float], object] = lambda share: None,
    camera: CameraSection | None = None,
) -> Collected:
    """Measure the figures that are learned; photographs that cannot be measured are left out and named.

    ``finder``: where the regions are; the labels' own when None. ``on_progress`` is called with the share
    of all photographs that was just done. ``camera``: of the profile, whose demand for a size holds here too.
    """
    names: list[str] = []
    rows: list[list[list[float]]] = []
    left_out: list[str] = []
    copies: list[str] = []
    first: dict[str, str] = {}
    digest = lru_cache(maxsize=None)(_digest)
    read = lru_cache(maxsize=1)(lambda path: _read(path, camera or CameraSection()))
    for photograph in photographs:
        seen = " ".join([*map(digest, photograph.paths), str(sorted(photograph.regions.items()))])
        original = first.setdefault(seen, photograph.name)
        if original != photograph.name:
            copies.append(f"{photograph.name} is {original}")
            on_progress(1 / len(photographs))
            continue
        try:
            for site, looks in _looks(photograph, views, finder, read):
                name = f"{photograph.name} {site}".strip()
                figures = [[_number(FIGURES[figure](look)) for look in looks] for figure in LEARNED]
                rows_by_name = dict(zip(LEARNED, figures, strict=True))
                unknown = [figure for figure, row in rows_by_name.items() if not all(map(math.isfinite, row))]
                absent = [figure for figure in RATIOS if 0.0 in rows_by_name[figure]]
                if unknown:
                    left_out.append(f"{name}: {unknown[0]} cannot be told of a picture of one colour")
                elif absent:
                    left_out.append(f"{name}: {absent[0]} is 0, from which nothing differs by a factor")
                else:
                    names.append(name)
                    rows.append(figures)
        except ImageError as error:
            left_out.append(error.line())
        except Refusal as refusal:
            left_out.append(f"{photograph.name}: {refusal.detail}")
        on_progress(1 / len(photographs))
    table = np.array(rows, np.float64).reshape(len(rows), len(LEARNED), len(views))
    figures_by_name: dict[FigureName, Float64Array] = {name: table[:, at] for at, name in enumerate(LEARNED)}
    return Collected(tuple(names), figures_by_name, tuple(left_out), tuple(copies))


def _looks(
    photograph: Photograph,
    views: Sequence[str],
    finder: RegionFinder | None,
    read: Callable[[Path], UInt8Array],
) -> list[tuple[str, list[Look]]]:
    """Return what each site shows, by view, as the pipeline would cut it out. Raises: ImageError, Refusal."""
    finder = FixedRegions(photograph.regions) if finder is None else finder
    paths = photograph.paths * len(views) if len(photograph.paths) == 1 else photograph.paths
    parts: dict[Path, Located] = {}
    for path in dict.fromkeys(paths):
        located = finder.locate(read(path))
        # A copy where it is not the only one: a finder may rectify the next picture into the same buffer.
        parts[path] = replace(located, pixels=located.pixels.copy()) if len(set(paths)) > 1 else located
    found: list[tuple[str, list[Look]]] = []
    for at, site in enumerate(parts[paths[0]].sites):
        looks = [_look(parts[path], at, view, path) for view, path in zip(views, paths, strict=True)]
        refuse_empty(np.stack([look.picture for look in looks]))
        found.append((site.name, looks))
    return found


def _read(path: Path, camera: CameraSection) -> UInt8Array:
    frame = sized(read_frame(path, 0), camera)
    if isinstance(frame, BadFrame):
        raise frame.error
    return frame.pixels


def _look(part: Located, at: int, view: str, path: Path) -> Look:
    box = part.sites[at].boxes.get(view)
    return Look(part.pixels, box, preprocess(part.pixels, _CUT_OUT, box, where=path))


def _digest(path: Path) -> str:
    """Return the sha256 of a file; of one that cannot be read, its name, for nothing equals it."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return str(path)


def _number(figure: float | None) -> float:
    return math.nan if figure is None else figure
