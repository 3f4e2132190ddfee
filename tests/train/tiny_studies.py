"""Studies of a few hundred tiny pictures that obey a clean law, and runs trained on them within seconds.

The picture is a square of dye on white card. Absorbance rises with the value, differently in R, G and B
(Beer-Lambert), so that a calibration curve reads it well and a small network after a few epochs too.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.dataset import Dataset
from analyte.contract.labels_file import load_dataset
from analyte.contract.run import RunRecord
from analyte.contract.splits import assign_splits

UNIT = "mg/L"
RANGE = (0.0, 10.0)
SPAN = RANGE[1] - RANGE[0]
EDGE = 40
"""Edge of the photographs, pixels; not a multiple of what the network takes, so that resizing does work."""
SIZE = 16
"""Edge of the network's picture, pixels: the least that the default recipe takes."""
SESSIONS = 6
_ABSORBANCE_AT_10 = np.array([0.15, 0.9, 0.45])
"""R, G, B at the upper end of the range."""


@dataclass(frozen=True, slots=True)
class Study:
    """How a study is made; the same settings give the same bytes."""

    samples: int = 240
    views: tuple[str, ...] = ("sample",)
    light_spread: float = 0.02
    """Standard deviation of each session's gains, natural logarithm."""
    seed: int = 0
    split: bool = True
    """Whether a split column marks the last session as test and the one before as val."""
    unit: str = UNIT


def write_study(folder: Path, study: Study | None = None) -> Path:
    """Write a dataset folder: ``labels.csv``, ``dataset.toml``, PNG files."""
    study = study or Study()
    rng = np.random.default_rng(study.seed)
    (folder / "images").mkdir(parents=True)
    lights = np.exp(rng.normal(0.0, study.light_spread, (SESSIONS, 3)))
    rows: list[dict[str, str]] = []
    # Every session covers the whole range.
    values = rng.permuted(np.linspace(*RANGE, study.samples)).round(3)
    for index, value in enumerate(values):
        session = index % SESSIONS
        for view in study.views:
            name = f"images/{index:04d}-{view}.png"
            shown = 0.0 if view == "reference" else float(value)
            assert cv2.imwrite(str(folder / name), photograph(shown, lights[session], rng)[:, :, ::-1])
            row = {"path": name, "value": f"{value}", "sample": f"{index:04d}", "view": view}
            row |= {"group": f"day{session}", "session": f"day{session}"}
            if study.split:
                row["split"] = {SESSIONS - 1: "test", SESSIONS - 2: "val"}.get(session, "train")
            rows.append(row)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    views = ", ".join(f'"{view}"' for view in study.views)
    (folder / "dataset.toml").write_text(
        f'name = "dye"\nanalyte = "dye"\nunit = "{study.unit}"\nrange = [{RANGE[0]}, {RANGE[1]}]\n'
        f'views = [{views}]\nlicence = "CC0-1.0"\n',
        "utf-8",
    )
    return folder


def photograph(value: float, light: np.ndarray, rng: np.random.Generator) -> UInt8Array:
    """Return a square of dye on white card, uint8 ``[EDGE, EDGE, 3]``, RGB."""
    picture = np.full((EDGE, EDGE, 3), 200.0)
    # Covers the middle half, where the calibration curve looks.
    edge = int(rng.integers(3 * EDGE // 4, EDGE - 2))
    x, y = rng.integers(0, EDGE - edge, 2)
    picture[y : y + edge, x : x + edge] *= 10.0 ** (-_ABSORBANCE_AT_10 * value / RANGE[1])
    # Grain, as paper and sensors have: it spreads the steps of eight bits over many pixels.
    noisy = picture * light + rng.normal(0.0, 8.0, picture.shape)
    clipped: UInt8Array = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return clipped


def train_run(study: Path, run: Path, *, size: int | None = SIZE, **options: Any) -> RunRecord:
    """Train on a dataset folder and write a run folder; ``options`` as `analyte train` takes them."""
    from analyte.train.run_writer import write_run
    from analyte.train.settings import train_settings
    from analyte.train.training import train

    run.mkdir(parents=True)
    dataset = split_dataset(study, options.get("seed", 0))
    settings = train_settings(dataset.spec, size=size, **{"batch_size": 32, **options})
    return write_run(train(dataset, settings), run)


def split_dataset(study: Path, seed: int = 0) -> Dataset:
    """Load a dataset folder and complete its splits."""
    return assign_splits(load_dataset(study), seed=seed)


def random_pictures(count: int, views: int, seed: int = 0, size: int = SIZE) -> UInt8Array:
    """Return noise, uint8 ``[N, V, S, S, 3]``: no two neighbours alike, so that any shift shows."""
    return np.random.default_rng(seed).integers(0, 256, (count, views, size, size, 3), dtype=np.uint8)


def symmetries(images: UInt8Array) -> Sequence[UInt8Array]:
    """Return the eight turns and mirror images of pictures ``[N, V, S, S, 3]``, the pictures first."""
    turned = [np.rot90(images, turns, axes=(2, 3)) for turns in range(4)]
    return [np.ascontiguousarray(p) for t in turned for p in (t, t[:, :, :, ::-1])]
