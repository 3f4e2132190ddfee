"""A study without a fault, and what breaks one thing in it."""

from __future__ import annotations

import copy
import csv
import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.labels_file import load_dataset
from analyte.train.inspection.checks import run_checks
from analyte.train.inspection.finding import Finding
from analyte.train.inspection.inspection import Inspection, inspect
from conftest import Invoke

EDGE = 64
"""Edge of the photographs, pixels: what the network takes."""
SESSIONS, LEVELS = 14, 10
SPLITS = ("train",) * 9 + ("val",) * 2 + ("test",) * 3
UNIT = "mg/L"
_ABSORBANCE_AT_10 = np.array([0.1, 0.8, 0.4])
"""R, G, B at the upper end of the range."""

Row = dict[str, str]


@dataclass
class Planted:
    """A study in memory; ``write`` it once it is broken."""

    rows: list[Row] = field(default_factory=list)
    pictures: dict[str, UInt8Array] = field(default_factory=dict)
    """By path: uint8 ``[H, W, 3]``, RGB."""
    toml: dict[str, str] = field(default_factory=dict)
    """Further lines of dataset.toml."""

    def write(self, folder: Path) -> Path:
        """Write labels, dataset.toml and pictures."""
        (folder / "images").mkdir(parents=True)
        for name, picture in self.pictures.items():
            save(folder / name, picture)
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        lines = {
            "name": '"dye"',
            "analyte": '"dye"',
            "unit": f'"{UNIT}"',
            "range": "[0.0, 10.0]",
            **self.toml,
        }
        text = "\n".join(f"{key} = {value}" for key, value in lines.items())
        (folder / "dataset.toml").write_text(text, "utf-8")
        return folder

    def add(self, row: Row, picture: UInt8Array, **changes: str) -> Row:
        """Add a picture under the name of its sample, its row like another one but for ``changes``."""
        new = {**row, **changes}
        new["path"] = f"images/{new['sample']}.png"
        self.rows.append(new)
        self.pictures[new["path"]] = picture
        return new

    def of(self, **wanted: str) -> list[Row]:
        """Return the rows with these cells."""
        return [row for row in self.rows if all(row[key] == value for key, value in wanted.items())]

    def covariate(self, name: str, cell: Callable[[Row], object], *, numeric: bool = True) -> None:
        """Add a column of numbers or categories and declare it, after those of its kind."""
        for row in self.rows:
            row[name] = str(cell(row))
        key = "covariates" if numeric else "categorical_covariates"
        declared = [*json.loads(self.toml.get(key, "[]")), name]
        self.toml[key] = json.dumps(declared)

    def drop(self, *columns: str) -> None:
        """Take columns out."""
        for row in self.rows:
            for column in columns:
                row.pop(column, None)


def sound(views: Sequence[str] = ("sample",)) -> Planted:
    """Return a study in which nothing is to be found: every session photographs every level once."""
    return copy.deepcopy(_sound(tuple(views)))


@functools.cache
def _sound(views: tuple[str, ...]) -> Planted:
    study = Planted()
    rng = np.random.default_rng(0)
    if views != ("sample",):
        study.toml["views"] = "[" + ", ".join(f'"{view}"' for view in views) + "]"
    for session in range(SESSIONS):
        light = np.exp(rng.normal(0.0, 0.03, 3))
        for level in range(LEVELS):
            value = level * 10.0 / (LEVELS - 1)
            sample = f"s{session:02d}-{level}"
            for view in views:
                name = f"images/{sample}{'' if len(views) == 1 else '-' + view}.png"
                study.pictures[name] = photograph(0.0 if view == "reference" else value, rng, light)
                study.rows.append(
                    {
                        "path": name,
                        "value": f"{value:.4f}",
                        "sample": sample,
                        "view": view,
                        "group": f"day{session:02d}",
                        "session": f"day{session:02d}",
                        "split": SPLITS[session],
                    }
                )
    return study


def photograph(value: float, rng: np.random.Generator, light: Float64Array | float = 1.0) -> UInt8Array:
    """Return dye on paper of uneven texture, another one each time, uint8 ``[EDGE, EDGE, 3]``, RGB."""
    paper = 180.0 + 12.0 * texture(rng)[:, :, np.newaxis]
    seen = paper * light * 10.0 ** (-_ABSORBANCE_AT_10 * value / 10.0)
    return to_levels(seen + rng.normal(0.0, 2.0, seen.shape))


def texture(rng: np.random.Generator, edge: int = EDGE) -> Float64Array:
    """Return smooth noise ``[edge, edge]`` of standard deviation 1."""
    noise = cv2.GaussianBlur(rng.normal(size=(edge, edge)), (0, 0), 4.0)
    return np.asarray(noise / noise.std(), np.float64)


def to_levels(picture: Float64Array) -> UInt8Array:
    """Round to 8 bits."""
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def save(path: Path, picture: UInt8Array, quality: int | None = None) -> Path:
    """Write an RGB picture in the format of the suffix."""
    options = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality]
    assert cv2.imwrite(str(path), np.ascontiguousarray(picture[:, :, ::-1]), options)
    return path


def resaved(picture: UInt8Array, quality: int = 80, scale: float = 1.0) -> UInt8Array:
    """Return what is left of a picture after resizing and JPEG."""
    if scale != 1.0:
        how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)
    _, data = cv2.imencode(
        ".jpg", np.ascontiguousarray(picture[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[:, :, ::-1], np.uint8)


def inspected(folder: Path) -> Inspection:
    """Load and survey a dataset folder."""
    return inspect(load_dataset(folder), folder)


def findings_in(folder: Path) -> dict[str, Finding]:
    """Return what the checks find, by code; every code at most once."""
    found = run_checks(inspected(folder))
    assert len({entry.code for entry in found}) == len(found)
    return {entry.code: entry for entry in found}


def checked(invoke: Invoke, folder: Path) -> dict[str, dict[str, Any]]:
    """Return what ``analyte data check --json`` finds, by code, each at most once.

    The exit code and the counts have to agree with it.
    """
    outcome = invoke("data", "check", folder, "--json")
    assert outcome.stdout, outcome.stderr
    printed = json.loads(outcome.stdout)
    found = {entry["code"]: entry for entry in printed["findings"]}
    severities = [entry["severity"] for entry in printed["findings"]]
    assert len(found) == len(severities)
    assert printed["counts"] == {name: severities.count(name) for name in ("error", "warning", "note")}
    assert printed["passed"] == ("error" not in severities)
    assert outcome.code == (3 if "error" in severities else 0)
    return found


def severities(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the severity of each kind of finding."""
    return {code: entry["severity"] for code, entry in found.items()}
