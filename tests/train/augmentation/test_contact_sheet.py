"""The sheet shows pictures as they are, and what each change does to them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import AUGMENTATIONS, Augmentation
from analyte.train.augmentation.contact_sheet import ROWS, spread_over, write_contact_sheet
from train.augmentation.changes import flat

VALUES = np.array([3.0, 9.0, 1.0, 5.0])


def sheet(path: Path, augmentation: Augmentation, images: UInt8Array, seed: int = 0) -> UInt8Array:
    write_contact_sheet(images, VALUES, "mg/L", augmentation, path, seed)
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture.astype(np.uint8)


def pictures() -> UInt8Array:
    """Return two views, dark and bright; red tells the samples apart."""
    images = flat([(0, 30, 200), (60, 30, 200), (120, 30, 200), (180, 30, 200)])
    images[:, 1, :, :, 1] = 90
    return images


def colours(picture: UInt8Array) -> list[tuple[int, int, int]]:
    """Return the R, G, B of everything as blue as the four pictures are, from the top; letters are grey."""
    blue = picture[(picture[:, :, 0] == 200) & (picture[:, :, 1] != 200)][:, ::-1]
    return list(dict.fromkeys(map(tuple, blue.tolist())))


def test_shows_samples_as_recorded_by_rising_value_views_side_by_side(tmp_path: Path) -> None:
    shown = colours(sheet(tmp_path / "sheet.png", Augmentation(), pictures()))
    reds = [120, 0, 180, 60]  # values 1, 3, 5, 9
    assert shown == [(red, green, 200) for red in reds for green in (30, 90)]


def test_shows_each_change_at_its_strongest(tmp_path: Path) -> None:
    picture = sheet(tmp_path / "sheet.png", Augmentation(brightness=0.2), pictures())
    for factor in (np.exp(-0.2), np.exp(0.2)):
        changed = np.rint(np.array([60, 30, 200]) * factor)[::-1]
        assert (picture == changed).all(axis=2).sum() >= 64 * 64


@pytest.mark.parametrize(("name", "turning"), [("lab", False), ("field", True)])
def test_more_columns_for_more_changes(tmp_path: Path, name: str, turning: bool) -> None:
    still = sheet(tmp_path / "still.png", Augmentation(), pictures())
    domain = sheet(tmp_path / "domain.png", AUGMENTATIONS[name](turning), pictures())
    assert domain.size > 1.4 * still.size


def test_seed_decides(tmp_path: Path) -> None:
    noise = Augmentation(noise=0.1)
    first, again, other = (
        sheet(tmp_path / f"{i}.png", noise, pictures(), seed) for i, seed in enumerate((1, 1, 2))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_samples_are_spread_over_the_values() -> None:
    values = np.arange(100.0)[::-1]
    chosen = values[spread_over(values)]
    np.testing.assert_allclose(chosen, np.linspace(0, 99, ROWS), atol=0.5)
    assert spread_over(np.array([2.0, 1.0])) == [1, 0]
