"""Measuring pictures in files, a sample at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from analyte.contract.covariates import Covariate
from analyte.contract.errors import InputError
from analyte.contract.reading import Reading
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.sources.folder import image_files, is_folder, read_frame
from analyte.runtime.sources.frame_size import sized
from analyte.runtime.sources.protocol import BadFrame, Frame


def expand(paths: Sequence[Path]) -> list[Path]:
    """Return files as they are and folders as their pictures, in natural order.

    Raises: InputError for a folder without pictures.
    """
    files: list[Path] = []
    for path in paths:
        if not is_folder(path):
            files.append(path)
            continue
        found = image_files(path)
        if not found:
            raise InputError("no pictures in the folder", where=path)
        files += found
    return files


def refuse_folders(paths: Sequence[Path]) -> None:
    """Refuse folders where a sample takes several pictures: names do not tell which picture is which view.

    Raises: InputError.
    """
    for path in paths:
        if is_folder(path):
            raise InputError(
                "a folder does not say which picture is which view",
                where=path,
                fix="Name the pictures of each sample in the order of the views, or give each view a region",
            )


def group(files: Sequence[Path], pictures: int) -> list[Sequence[Path]]:
    """Return samples of ``pictures`` consecutive files. Raises: InputError when some are left over."""
    if len(files) % pictures:
        raise InputError(
            f"each sample takes {pictures} pictures, one per view",
            expected=f"a multiple of {pictures} pictures",
            got=len(files),
            fix="Or give every view a region of one picture: --region VIEW=x,y,w,h",
        )
    return [files[start : start + pictures] for start in range(0, len(files), pictures)]


def read_samples(
    pipeline: Pipeline,
    samples: Sequence[Sequence[Path]],
    covariates: Sequence[Mapping[str, Covariate]] | None = None,
    camera: CameraSection | None = None,
) -> Iterator[tuple[Reading, int]]:
    """Yield every reading of each sample and how many of its pictures could not be read.

    ``covariates``: of each sample; None where all are in the pipeline's settings. ``camera``: of the profile,
    whose demand for a size holds here too.
    A sample with a bad picture is refused and the rest go on.
    """
    index = 0
    beside = [{}] * len(samples) if covariates is None else covariates
    for sample, values in zip(samples, beside, strict=True):
        shots = [
            sized(read_frame(path, index + offset), camera or CameraSection())
            for offset, path in enumerate(sample)
        ]
        index += len(sample)
        good = [shot for shot in shots if isinstance(shot, Frame)]
        bad = sum(isinstance(shot, BadFrame) for shot in shots)
        readings = pipeline.refuse_all(shots) if bad else pipeline.measure_all(good, values)
        for reading in readings:
            yield reading, bad
