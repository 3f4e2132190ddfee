"""Datasets of tiny pictures, right until a test breaks one thing in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.errors import AnalyteError, DatasetError
from analyte.contract.labels_file import load_dataset

TOML = """
name = "dye"
analyte = "tartrazine"
unit = "mg/L"
range = [0.0, 10.0]
"""


def write_picture(path: Path, level: int = 100, size: tuple[int, int] = (12, 16)) -> Path:
    """Write a picture of one level; ``size`` is height, width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*size, 3), level, np.uint8))
    return path


def write_dataset(
    folder: Path,
    rows: Sequence[str] = ("a.png,1", "b.png,2"),
    *,
    header: str = "path,value",
    toml: str | None = TOML,
    pictures: Sequence[str] = ("a.png", "b.png"),
) -> Path:
    """Write labels.csv, dataset.toml and pictures that differ from each other."""
    folder.mkdir(parents=True, exist_ok=True)
    for level, name in enumerate(pictures, start=10):
        write_picture(folder / name, level)
    (folder / "labels.csv").write_bytes("\n".join([header, *rows, ""]).encode())
    if toml is not None:
        (folder / "dataset.toml").write_text(toml, "utf-8")
    return folder


def assert_one_line(error: AnalyteError, exit_code: int, *parts: str) -> None:
    """Check what every message owes to its reader."""
    line = error.line()
    assert line == str(error)
    assert len(line.splitlines()) == 1, line
    assert error.exit_code == exit_code
    for part in parts:
        assert part in line, line


def refused(path: Path, *parts: str, unit: str | None = None) -> str:
    """Load what cannot be loaded and return the message."""
    with pytest.raises(DatasetError) as caught:
        load_dataset(path, unit=unit)
    assert_one_line(caught.value, 3, *parts)
    return caught.value.line()
