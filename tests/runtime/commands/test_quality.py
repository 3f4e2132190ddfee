"""``analyte quality``: from good photographs to the section of a profile."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import InputError, OutputError, SettingsError
from analyte.contract.profile import load_profile
from analyte.contract.sections.quality import QualitySection
from analyte.runtime.commands.quality import command
from analyte.runtime.quality.registry import check_of
from runtime.conftest import Analyte
from runtime.tiny_bundles import write_profile


def quality(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def record_of(*arguments: str | Path) -> dict[str, Any]:
    result = quality(*arguments, "--json")
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def well(seed: int) -> UInt8Array:
    rng = np.random.default_rng(seed)
    frame = np.full((60, 80, 3), rng.uniform(190, 210), np.float64)
    cv2.circle(frame, (40, 30), 15, (90, rng.uniform(40, 60), 90), -1)
    return np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """24 good pictures."""
    path = tmp_path / "good"
    path.mkdir()
    for at in range(24):
        cv2.imwrite(str(path / f"{at}.png"), well(at))
    return path


def test_table_and_section(analyte: Analyte, folder: Path) -> None:
    done = analyte("quality", folder)
    assert (done.returncode, done.stderr) == (0, "")
    table, _, text = done.stdout.partition("# Learned by")
    assert "24 photographs; by these limits 0 would be flagged and 0 refused" in table
    assert "from 24 photographs, good" in text
    section = QualitySection.model_validate(tomllib.loads("# " + text)["quality"])
    assert check_of(section) is not None
    assert (section.motion, section.coverage) == (None, None)
    assert section.focus is not None
    assert section.light is not None
    assert 0.7 < section.light.level < 0.85


def test_file_can_be_pasted_into_a_profile(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "quality.toml"
    assert quality(folder, "-o", file).exception is None
    profile = write_profile(tmp_path / "device.toml")
    profile.write_text(f"{profile.read_text('utf-8')}\n{file.read_text('utf-8')}", "utf-8")
    assert load_profile(profile).quality.focus is not None
    assert isinstance(quality(folder, "-o", file).exception, OutputError)
    assert quality(folder, "-o", file, "--overwrite").exception is None


def test_black_surround_does_not_make_the_limits_void(folder: Path) -> None:
    dark = well(50)
    dark[cv2.circle(np.zeros((60, 80), np.uint8), (40, 30), 15, 1, -1) == 0] = 0
    cv2.imwrite(str(folder / "dark.png"), dark)
    record = record_of(folder)
    (left_out,) = record["left_out"]
    assert left_out == "dark.png: light is 0, from which nothing differs by a factor"
    assert record["limits"]["light"]["refuse_below"] > 0


def test_pictures_of_another_size_than_the_profile_demands_are_left_out(folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(folder / "large.png"), cv2.resize(well(7), (160, 120)))
    profile = write_profile(tmp_path / "device.toml", camera="width = 80\nheight = 60")
    record = record_of(folder, "--device", profile)
    assert record["photographs"] == 24
    (left_out,) = record["left_out"]
    assert "large.png" in left_out
    assert left_out.endswith("expected 80x60; got 160x120")


def test_bad_pictures_are_named_and_left_out(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"not a picture")
    cv2.imwrite(str(folder / "covered.png"), np.zeros((60, 80, 3), np.uint8))
    cv2.imwrite(str(folder / "plain.png"), np.full((60, 80, 3), 120, np.uint8))
    cv2.imwrite(str(folder / "blurred.png"), cv2.GaussianBlur(well(99), (0, 0), 4))
    record = record_of(folder)
    assert record["photographs"] == 25
    assert len(record["left_out"]) == 3
    for name, why in (("broken", "readable"), ("covered", "black one"), ("plain", "focus cannot be told")):
        assert any(name in line and why in line for line in record["left_out"])
    assert (record["worst"][0]["name"], record["worst"][0]["figure"]) == ("blurred.png", "focus")
    assert QualitySection.model_validate(record["limits"]).focus is not None
    assert tomllib.loads(record["toml"])["quality"] == record["limits"]


def test_copies_of_a_photograph_do_not_count(folder: Path) -> None:
    alone = record_of(folder)
    for at in range(30):
        (folder / f"copy{at:02d}.png").write_bytes((folder / "0.png").read_bytes())
    record = record_of(folder)
    assert (record["photographs"], record["limits"]) == (24, alone["limits"])
    assert len(record["copies"]) == 30
    assert record["copies"][0] == "copy00.png is 0.png"
    assert "30 are copies of others and do not count:" in quality(folder).stdout
    for at in range(1, 24):
        (folder / f"{at}.png").unlink()
    result = quality(folder)
    assert isinstance(result.exception, InputError)
    assert "30 photographs are copies of others and do not count; the first: copy00.png" in result.stderr


def test_region(folder: Path, tmp_path: Path) -> None:
    def exposure(*options: str | Path) -> float:
        return float(record_of(folder, *options)["figures"]["exposure"]["median"])

    box = "30,20,20,20"
    inside = exposure("--region", box)
    assert inside < 0.5 < exposure()
    x, y, w, h = box.split(",")
    profile = write_profile(tmp_path / "device.toml")
    boxes = f"[region.boxes]\nsample = {{ x = {x}, y = {y}, w = {w}, h = {h} }}"
    profile.write_text(f"{profile.read_text('utf-8')}\n{boxes}\n", "utf-8")
    assert exposure("--device", profile) == pytest.approx(inside)


def test_dataset_of_two_views(folder: Path) -> None:
    rows = ["path,value,sample,view,x,y,w,h"]
    for at in range(24):
        rows.append(f"{at}.png,1,s{at},reference,0,0,16,16")
        rows.append(f"{at}.png,1,s{at},sample,30,20,20,20")
    (folder / "labels.csv").write_text("\n".join(rows), "utf-8")
    (folder / "dataset.toml").write_text(
        'name = "d"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0.0, 2.0]\nviews = ["reference", "sample"]',
        "utf-8",
    )
    record = record_of(folder)
    assert record["photographs"] == 24
    exposure = record["figures"]["exposure"]
    assert exposure["lowest"] < 0.5 < 0.7 < exposure["highest"]
    with pytest.raises(SettingsError, match="says the regions itself"):
        raise quality(folder, "--region", "sample=0,0,9,9").exception or AssertionError


def test_values_and_units_play_no_part(folder: Path) -> None:
    (folder / "labels.csv").write_text(
        "\n".join(["path,value", *(f"{at}.png,{at}" for at in range(24))]), "utf-8"
    )
    assert record_of(folder)["photographs"] == 24


def test_too_few(analyte: Analyte, folder: Path) -> None:
    for at in range(5):
        (folder / f"{at}.png").unlink()
    done = analyte("quality", folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("analyte: too few good photographs")
    assert "expected at least 20; got 19" in done.stderr


def test_too_few_because_of_the_region(folder: Path) -> None:
    result = quality(folder, "--region", "70,0,30,30")
    assert isinstance(result.exception, InputError)
    assert "24 of 24 photographs cannot be used; the first: " in result.stderr
    assert "outside the picture" in result.stderr


def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert isinstance(quality(tmp_path / "empty").exception, InputError)
