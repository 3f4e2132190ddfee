"""Calibration sees the training pictures, also in other light, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.contract.run import load_samples
from analyte.export.calibration import LIMIT, calibration_index, calibration_pictures
from analyte.export.formats import FORMATS
from analyte.export.source import Source
from train.tiny_studies import random_pictures


def same(one: np.ndarray, two: np.ndarray) -> bool:
    return one.tobytes() == two.tobytes()


@pytest.mark.parametrize(("count", "views"), [(1, 1), (5, 2), (100, 1), (2000, 1)])
def test_shape_and_number(count: int, views: int) -> None:
    images = random_pictures(count, views, size=8)
    pictures = calibration_pictures(images)
    assert (pictures.dtype, pictures.shape[1:]) == (np.uint8, images.shape[1:])
    assert min(count, 6) <= len(pictures) <= LIMIT


def test_deterministic_and_leaves_its_input() -> None:
    images = random_pictures(40, 2, size=8)
    before = images.copy()
    assert same(calibration_pictures(images), calibration_pictures(images))
    assert same(images, before)


def test_as_recorded_darker_and_brighter() -> None:
    images = np.full((12, 1, 8, 8, 3), 120, np.uint8)
    colours = {tuple(map(int, picture[0, 0, 0])) for picture in calibration_pictures(images)}
    assert (120, 120, 120) in colours
    levels = [np.mean(colour) for colour in colours]
    assert min(levels) < 0.85 * 120
    assert max(levels) > 1.15 * 120
    # Warm and cool: red above blue, and blue above red.
    assert any(red > blue for red, _, blue in colours)
    assert any(red < blue for red, _, blue in colours)


def test_views_of_a_sample_are_relit_alike() -> None:
    images = np.full((12, 3, 8, 8, 3), 120, np.uint8)
    pictures = calibration_pictures(images)
    np.testing.assert_array_equal(pictures, np.repeat(pictures[:, :1], 3, axis=1))


def test_bright_pictures_do_not_wrap_around() -> None:
    pictures = calibration_pictures(np.full((12, 1, 8, 8, 3), 250, np.uint8))
    assert pictures.min() >= 180


def test_spreads_over_all_pictures() -> None:
    """Not the first ones only: data sets are often sorted by value."""
    images = np.zeros((3000, 1, 8, 8, 3), np.uint8)
    images[:] = np.linspace(40, 200, 3000).astype(np.uint8)[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis]
    levels = calibration_pictures(images)[:, 0, 0, 0].mean(axis=1)
    assert levels.min() < 50
    assert levels.max() > 190
    histogram, _ = np.histogram(levels, bins=4, range=(40, 200))
    assert histogram.min() > 0.1 * len(levels)


def test_export_calibrates_on_training_pictures_only(
    one_view_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from analyte.export.bundle_writer import write_bundle

    seen: list[Source] = []

    def convert(source: Source) -> bytes:
        seen.append(source)
        return source.onnx

    write_bundle(one_view_run, tmp_path, "b", [dataclasses.replace(FORMATS["onnx"], convert=convert)])
    samples = load_samples(one_view_run)
    order = np.lexsort((np.asarray(samples.train_sessions), samples.train_values))
    assert same(seen[0].calibration, calibration_pictures(samples.train_images[order]))
    judged = {picture.tobytes() for picture in samples.val_images}
    assert not judged & {picture.tobytes() for picture in seen[0].calibration}


def test_index_tells_which_sample_each_picture_shows() -> None:
    """What stands beside a picture, such as a temperature, goes with it."""
    images = np.repeat(np.arange(0, 250, 5).astype(np.uint8), 8 * 8 * 3).reshape(50, 1, 8, 8, 3)
    index = calibration_index(50)
    pictures = calibration_pictures(images)
    assert len(index) == len(pictures)
    levels = images[index, 0, 0, 0, 0].astype(float)
    shown = pictures[:, 0, 0, 0].mean(axis=1)
    # Relit by less than the levels differ.
    assert np.corrcoef(levels, shown)[0, 1] > 0.95
    assert set(index.tolist()) == set(range(50))
