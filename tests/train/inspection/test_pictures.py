"""Picture files that cannot be used, or are not like the others, are found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from conftest import Invoke
from train.inspection.planted import EDGE, checked, photograph, severities, sound


def turn(file: Path, orientation: int) -> None:
    """Ask readers of a PNG to turn it."""
    with Image.open(file) as image:
        exif = image.getexif()
        exif[ExifTags.Base.Orientation] = orientation
        image.save(file, exif=exif)


def test_damaged_and_without_its_region(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    for row in study.rows:
        row.update(x="0", y="0", w="64", h="64")
    study.rows[7]["w"] = "65"
    folder = study.write(tmp_path / "d")
    (folder / study.rows[3]["path"]).write_bytes(b"no picture")
    found = checked(invoke, folder)
    assert severities(found) == {"unreadable-picture": "error"}
    entry = found["unreadable-picture"]
    assert entry["rows"] == [5, 9]
    assert entry["files"] == [study.rows[3]["path"], study.rows[7]["path"]]
    assert [detail.split(": ")[0] for detail in entry["details"]] == ["row 5", "row 9"]
    assert str(folder) not in " ".join(entry["details"])


def test_none_is_usable(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    folder = study.write(tmp_path / "d")
    for row in study.rows:
        (folder / row["path"]).write_bytes(b"no picture")
    found = checked(invoke, folder)
    assert found["unreadable-picture"]["severity"] == "error"
    assert len(found["unreadable-picture"]["rows"]) == len(study.rows)


def test_grey_among_colour(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    for row in study.of(sample="s05-2") + study.of(sample="s06-3"):
        study.pictures[row["path"]][:] = study.pictures[row["path"]].mean(axis=2, keepdims=True)
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"grey-among-colour": "warning"}
    assert found["grey-among-colour"]["samples"] == ["s05-2", "s06-3"]


def test_all_grey_is_of_one_kind(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    for picture in study.pictures.values():
        picture[:] = picture.mean(axis=2, keepdims=True)
    assert checked(invoke, study.write(tmp_path / "d")) == {}


@pytest.mark.parametrize(("size", "small"), [(None, True), (40, False), (48, True)])
def test_smaller_than_the_network(invoke: Invoke, tmp_path: Path, size: int | None, small: bool) -> None:
    study = sound()
    row = study.rows[8]
    study.pictures[row["path"]] = study.pictures[row["path"]][:40, :40]
    folder = study.write(tmp_path / "d")
    if size is None:
        found = checked(invoke, folder)
        assert severities(found) == {"smaller-than-network": "note"}
        assert found["smaller-than-network"]["samples"] == [row["sample"]]
        assert "--size 40" in found["smaller-than-network"]["fix"]
    else:
        outcome = invoke("data", "check", folder, "--size", size)
        assert ("smaller-than-network" in outcome.stdout) == small


def test_shapes_that_differ(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    rng = np.random.default_rng(6)
    wide = [np.concatenate([photograph(2.0, rng), photograph(2.0, rng)], axis=1) for _ in range(2)]
    study.pictures[study.rows[2]["path"]] = wide[0][:, : EDGE * 5 // 4]
    assert checked(invoke, study.write(tmp_path / "d")) == {}
    study.pictures[study.rows[2]["path"]] = wide[1][:, : EDGE * 3 // 2]
    found = checked(invoke, study.write(tmp_path / "e"))
    assert severities(found) == {"mixed-shapes": "note"}
    assert found["mixed-shapes"]["details"] == ["view sample: 1.00 to 1.50 times as wide as high"]


@pytest.mark.parametrize("regions", [False, True])
def test_turned_by_exif(invoke: Invoke, tmp_path: Path, regions: bool) -> None:
    study = sound()
    if regions:
        for row in study.rows:
            row.update(x="0", y="0", w="64", h="64")
    folder = study.write(tmp_path / "d")
    turn(folder / study.rows[4]["path"], 6)
    turn(folder / study.rows[5]["path"], 1)
    found = checked(invoke, folder)
    assert severities(found) == {"exif-orientation": "warning" if regions else "note"}
    assert found["exif-orientation"]["samples"] == ["s00-4"]
    assert "1 with orientation 6" in found["exif-orientation"]["what"]


@pytest.mark.parametrize(("factor", "bits"), [(16, 12), (4, 10), (64, 14), (257, None)])
def test_bits_that_are_not_used(invoke: Invoke, tmp_path: Path, factor: int, bits: int | None) -> None:
    """Cameras of 12 bits give files of 16: taken as 16, nearly all of the brightness is lost."""
    study = sound()
    folder = study.write(tmp_path / "d")
    for row in study.rows:
        file = str(folder / row["path"])
        picture = cv2.imread(file)
        assert picture is not None
        assert cv2.imwrite(file, picture.astype(np.uint16) * factor)
    found = checked(invoke, folder)
    assert ("unused-bits" in found) == (bits is not None)
    if bits is not None:
        entry = found["unused-bits"]
        assert (entry["severity"], len(entry["samples"])) == ("warning", len(study.rows))
        assert f"140 pictures of 16 bits whose values all lie below {2**bits} ({bits} bits)" in entry["what"]
        assert f"{2 ** (bits - 8)} of 256 levels" in entry["what"]
        assert f"times {2 ** (16 - bits)}" in entry["fix"]


@pytest.mark.parametrize("suffix", ["gif", "png"])
def test_palettes(invoke: Invoke, tmp_path: Path, suffix: str) -> None:
    study = sound()
    folder = study.write(tmp_path / "d")
    row = study.rows[5]
    with Image.open(folder / row["path"]) as image:
        image.quantize(256).save(folder / f"p.{suffix}")
    text = (folder / "labels.csv").read_text("utf-8").replace(row["path"], f"p.{suffix}")
    (folder / "labels.csv").write_text(text, "utf-8")
    found = checked(invoke, folder)
    assert severities(found) == {"palette-picture": "warning"}
    assert found["palette-picture"]["files"] == [f"p.{suffix}"]
