"""A whole dataset with its colours corrected as a device would, for training on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.dataset import Dataset, Sample
from analyte.contract.errors import DatasetError, ImageError
from analyte.contract.imaging import read_image
from analyte.contract.labels_file import SPEC_FILE, load_dataset
from analyte.contract.labels_text import read_records
from analyte.contract.output import staged_folder
from analyte.runtime.colour.protocol import ColourCorrector
from analyte.runtime.refusal import Refusal

MARK = "# Colours corrected by analyte colour correct"
"""How the first line of a corrected dataset's dataset.toml begins: nothing is corrected twice."""
_LABELS = "labels.csv"


@dataclass(frozen=True, slots=True)
class Corrected:
    """What was written, and what was not."""

    samples: int
    pictures: int
    refused: Mapping[str, str]
    """Why a picture could not be corrected, by its path within the dataset."""
    dropped: int
    """Samples that are left out because one of their pictures was refused."""
    method: str
    """As in readings: ``dark``, ``flat``, ``white``, ``chart`` or several of them."""


def correct_dataset(
    path: Path,
    out: Path,
    corrector: ColourCorrector,
    *,
    note: str,
    size: tuple[int, int] | None,
    overwrite: bool,
    on_progress: Callable[[float], object] = lambda share: None,
) -> Corrected:
    """Write every picture of a dataset to the folder ``out``, corrected, as PNG, with its labels.

    Pictures are corrected whole, before region and resize, which a device does first; the two differ by
    rounding (docs/decisions/0022). A sample with a picture that is refused is left out.
    ``note``: stands in dataset.toml. ``size``: width and height that pictures must have, pixels; None allows
    any. ``on_progress`` is called with the share of all pictures that was just done.
    Raises: DatasetError for a dataset without dataset.toml, one that was corrected already, or pictures
    outside its folder; ImageError when nothing can be corrected; OutputError.
    """
    dataset = _load(path)
    files = list(dict.fromkeys(view.path for sample in dataset.samples for view in sample.views))
    names = {file: _name_within(file, dataset) for file in files}
    refused: dict[Path, str] = {}
    method = ""
    with staged_folder(out, overwrite=overwrite, marker=SPEC_FILE) as staging:
        for file in files:
            try:
                picture, method = _corrected(file, corrector, size)
                _write(picture, staging / _target(names[file]))
            except (ImageError, Refusal) as error:
                refused[file] = error.line() if isinstance(error, ImageError) else error.detail
            on_progress(1 / len(files))
        kept = [sample for sample in dataset.samples if not any(v.path in refused for v in sample.views)]
        if not kept:
            first = next(iter(refused))
            raise ImageError(
                "no sample can be corrected", where=path, got=f"{names[first].as_posix()}: {refused[first]}"
            )
        used = {view.path for sample in kept for view in sample.views}
        for file in set(files) - used - set(refused):
            (staging / _target(names[file])).unlink()
        _write_labels(path, dataset, kept, names, staging)
        toml = (dataset.root / SPEC_FILE).read_text("utf-8-sig")
        # Before any table of it.
        head = f'{MARK}: {method}, {note}\ncolours = "{method}"\n'
        (staging / SPEC_FILE).write_text(f"{head}{toml}", "utf-8")
    shown = {names[file].as_posix(): why for file, why in refused.items()}
    return Corrected(len(kept), len(used), shown, len(dataset.samples) - len(kept), method)


def _load(path: Path) -> Dataset:
    spec = (path if path.is_dir() else path.parent) / SPEC_FILE
    dataset = load_dataset(path, unit=None if spec.is_file() else "any")
    if not spec.is_file():
        raise DatasetError(
            "has no dataset.toml, where it is written down that colours were corrected",
            where=path,
            fix="Write one with name, analyte, unit and range",
        )
    if dataset.spec.colours or MARK in spec.read_text("utf-8-sig"):
        raise DatasetError(
            "colours of this dataset were corrected already",
            where=spec,
            fix="Give the photographs as the camera took them",
        )
    return dataset


def _name_within(file: Path, dataset: Dataset) -> Path:
    """Return a picture's path within the dataset. Raises: DatasetError where it lies outside."""
    if not file.is_relative_to(dataset.root) or ".." in file.relative_to(dataset.root).parts:
        raise DatasetError(
            "a picture lies outside the dataset's folder", where=dataset.root, got=file, fix="Move it there"
        )
    return file.relative_to(dataset.root)


def _target(name: Path) -> Path:
    """Return the corrected picture's path: PNG keeps every level, and a.jpg is not mistaken for a.png."""
    return name if name.suffix == ".png" else name.with_name(f"{name.name}.png")


def _corrected(
    file: Path, corrector: ColourCorrector, size: tuple[int, int] | None
) -> tuple[UInt8Array, str]:
    """Return a picture, BGR, corrected as a frame of the device. Raises: ImageError, Refusal."""
    frame = read_image(file)
    got = frame.shape[1], frame.shape[0]
    if size is not None and got != size:
        raise ImageError(
            "not of the size of the device's frames, in which the white patch lies",
            where=file,
            expected="{}x{}".format(*size),
            got="{}x{}".format(*got),
        )
    picture = np.ascontiguousarray(frame[..., ::-1])
    record = corrector.correct(frame, [None], picture[np.newaxis])
    return np.ascontiguousarray(picture[..., ::-1]), record.method


def _write(picture: UInt8Array, file: Path) -> None:
    done, data = cv2.imencode(".png", picture)
    assert done
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.tobytes())


def _write_labels(
    path: Path, dataset: Dataset, kept: list[Sample], names: Mapping[Path, Path], folder: Path
) -> None:
    """Write the rows of the samples that are kept, their paths changed; none where folders say the values."""
    source = path if path.is_file() else path / _LABELS
    if not source.is_file():
        return
    files = {view.row: view.path for sample in kept for view in sample.views}
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    records = read_records(source)
    _, header = next(records)
    at = [name.strip() for name in header].index("path")
    rows.writerow(header)
    for line, cells in records:
        if line in files:
            cells[at] = _target(names[files[line]]).as_posix()
            rows.writerow(cells)
    (folder / _LABELS).write_text(text.getvalue(), "utf-8")
