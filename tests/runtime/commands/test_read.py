"""``analyte read``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from analyte.contract.errors import (
    AnalyteError,
    ImageError,
    InputError,
    ProfileError,
    SettingsError,
    UnavailableError,
)
from analyte.runtime.commands.read import command
from runtime.conftest import Analyte
from runtime.tiny_bundles import expected_value, value_of, write_picture, write_profile


def read(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def readings(*arguments: str | Path) -> list[dict[str, Any]]:
    result = read(*arguments, "--json")
    assert result.exception is None or isinstance(result.exception, ImageError)
    return json.loads(result.stdout)


def refused(error: type[AnalyteError], *arguments: str | Path) -> str:
    result = read(*arguments)
    assert isinstance(result.exception, error)
    assert result.stdout == ""
    return result.exception.line()


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    return [write_picture(tmp_path / f"{red}.png", (1, 2, red)) for red in (20, 40, 100)]


def test_table(bundle: Path, pictures: list[Path]) -> None:
    result = read(bundle, *pictures)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["value", "95", "%", "interval", "unit", "flags", "file"]
    assert lines[1].split() == ["7.9", "6.9", "to", "8.9", "mg/L", str(pictures[0])]
    assert len(lines) == 4
    assert result.stderr.startswith("analyte read: artifact onnx on onnxruntime 1.")


def test_json(bundle: Path, pictures: list[Path]) -> None:
    found = readings(bundle, *pictures)
    assert [r["value"] for r in found] == pytest.approx(
        [value_of((1, 2, red)) for red in (20, 40, 100)], abs=1e-4
    )
    assert [r["source"] for r in found] == [str(p) for p in pictures]
    assert len({r["id"] for r in found}) == 3


def test_csv(bundle: Path, pictures: list[Path]) -> None:
    result = read(bundle, *pictures, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 3
    assert float(rows[1]["value"]) == pytest.approx(value_of((1, 2, 40)), abs=1e-4)
    assert (rows[1]["unit"], rows[1]["refused"], rows[1]["reason"]) == ("mg/L", "false", "")


def test_flagged_and_refused(bundle: Path, tmp_path: Path) -> None:
    flagged = write_picture(tmp_path / "a.png", (10, 20, 255))
    beyond = write_picture(tmp_path / "b.png", (250, 250, 255))
    lines = read(bundle, flagged, beyond).stdout.splitlines()
    assert "out_of_range" in lines[1]
    assert lines[1].split()[0] == "100.8"
    assert lines[2].split()[:2] == ["refused", "out_of_range"]
    rows = list(csv.DictReader(io.StringIO(read(bundle, flagged, beyond, "--csv").stdout)))
    assert [(r["flags"], r["reason"], r["value"] == "") for r in rows] == [
        ("out_of_range", "", False),
        ("", "out_of_range", True),
    ]


def test_folder_is_its_pictures(bundle: Path, pictures: list[Path]) -> None:
    names = [Path(r["source"]).name for r in readings(bundle, pictures[0].parent)]
    assert names == ["20.png", "40.png", "100.png"]


def test_unreadable_pictures_are_refused_and_the_rest_is_measured(
    analyte: Analyte, bundle: Path, pictures: list[Path], tmp_path: Path
) -> None:
    pictures[1].write_bytes(b"damaged")
    result = analyte("read", bundle, *pictures, tmp_path / "gone.png", "--json")
    assert result.returncode == 3
    found = json.loads(result.stdout)
    assert [r["refused"] for r in found] == [False, True, False, True]
    assert {r["reason"] for r in found if r["refused"]} == {"bad_frame"}
    assert result.stderr.splitlines()[-1].startswith("analyte: 2 of 4 samples could not be measured")
    assert "Traceback" not in result.stderr


def test_region(bundle: Path, tmp_path: Path) -> None:
    import cv2

    picture = np.zeros((40, 60, 3), np.uint8)
    picture[8:24, 20:36] = (0, 0, 100)
    cv2.imwrite(str(tmp_path / "p.png"), picture)
    for text in ("20,8,16,16", "sample=20,8,16,16"):
        found = readings(bundle, tmp_path / "p.png", "--region", text)[0]
        assert found["value"] == pytest.approx(value_of((0, 0, 100)), abs=1e-4)
        assert found["regions"] == {"sample": [20, 8, 16, 16]}


class TestViews:
    """A bundle of two views."""

    def value(self, *bgr: tuple[int, int, int]) -> float:
        views = [np.full((16, 16, 3), colour[::-1], np.uint8) for colour in bgr]
        return float(expected_value(np.stack(views)[np.newaxis])[0])

    def test_consecutive_pictures(self, two_view_bundle: Path, pictures: list[Path]) -> None:
        found = readings(two_view_bundle, *pictures[:2], *pictures[1:])
        assert [r["value"] for r in found] == pytest.approx(
            [self.value((1, 2, 20), (1, 2, 40)), self.value((1, 2, 40), (1, 2, 100))], abs=1e-4
        )
        assert [r["frames"] for r in found] == [2, 2]

    def test_some_are_left_over(self, two_view_bundle: Path, pictures: list[Path]) -> None:
        line = refused(InputError, two_view_bundle, *pictures)
        assert "expected a multiple of 2 pictures; got 3" in line

    def test_one_bad_view_refuses_the_sample(self, two_view_bundle: Path, pictures: list[Path]) -> None:
        pictures[1].write_bytes(b"damaged")
        found = readings(two_view_bundle, *pictures[:2])
        assert [(r["reason"], r["value"]) for r in found] == [("bad_frame", None)]
        assert "40.png: not a readable picture" in found[0]["detail"]

    def test_region_for_every_view_makes_each_picture_a_sample(
        self, two_view_bundle: Path, pictures: list[Path]
    ) -> None:
        regions = ["--region", "reference=0,0,8,8", "--region", "sample=8,8,8,8"]
        found = readings(two_view_bundle, *pictures, *regions)
        assert [r["value"] for r in found] == pytest.approx(
            [self.value((1, 2, red), (1, 2, red)) for red in (20, 40, 100)], abs=1e-4
        )


class TestDevice:
    """With a device profile."""

    def test_engine_regions_and_id(
        self, both_engines_bundle: Path, pictures: list[Path], tmp_path: Path
    ) -> None:
        profile = write_profile(
            tmp_path / "p.toml",
            engine="litert",
            provider="cpu",
            artifacts=["tflite"],
            measure="[region.boxes]\nsample = { x = 1, y = 2, w = 8, h = 8 }",
        )
        found = readings(both_engines_bundle, pictures[0], "--device", profile)[0]
        assert (found["engine"], found["provider"], found["artifact"]) == ("litert", "cpu", "tflite")
        assert (found["device"], found["regions"]) == ("bench-1", {"sample": [1, 2, 8, 8]})

    def test_region_for_another_bundle(self, bundle: Path, pictures: list[Path], tmp_path: Path) -> None:
        profile = write_profile(
            tmp_path / "p.toml", measure="[region.boxes]\nwell = { x = 1, y = 2, w = 8, h = 8 }"
        )
        line = refused(ProfileError, bundle, pictures[0], "--device", profile)
        assert "region.boxes.well" in line

    def test_provider_that_is_not_there(self, bundle: Path, pictures: list[Path], tmp_path: Path) -> None:
        profile = write_profile(tmp_path / "p.toml", provider="cuda")
        refused(UnavailableError, bundle, pictures[0], "--device", profile)

    def test_artifact_for_another_engine(
        self, both_engines_bundle: Path, pictures: list[Path], profile: Path
    ) -> None:
        arguments = [both_engines_bundle, pictures[0], "--device", profile, "--artifact", "tflite"]
        assert "--artifact: 'tflite' is for engine 'litert'" in refused(SettingsError, *arguments)


def test_artifact_by_name(both_engines_bundle: Path, pictures: list[Path]) -> None:
    found = readings(both_engines_bundle, pictures[0], "--artifact", "tflite", "--threads", "2")[0]
    assert (found["artifact"], found["engine"]) == ("tflite", "litert")
    assert "expected onnx, tflite" in refused(
        SettingsError, both_engines_bundle, pictures[0], "--artifact", "none"
    )


def test_default_is_the_first_artifact_whose_engine_is_installed(
    both_engines_bundle: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyte.runtime.selection.is_installed", lambda engine: engine == "litert")
    result = read(both_engines_bundle, pictures[0])
    assert "artifact tflite on ai_edge_litert" in result.stderr


def test_no_engine_installed(
    both_engines_bundle: Path, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyte.runtime.selection.is_installed", lambda engine: False)
    line = refused(UnavailableError, both_engines_bundle, pictures[0])
    assert "pip install 'analyte[cpu]' or pip install 'analyte[litert]'" in line


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--json", "--csv"], 2), (["--region", "1,2,3"], 2), (["--threads", "0"], 2), (["--artifact", "x"], 2)],
)
def test_exit_codes(
    analyte: Analyte, bundle: Path, pictures: list[Path], arguments: list[str], code: int
) -> None:
    result = analyte("read", bundle, pictures[0], *arguments)
    assert (result.returncode, result.stdout) == (code, "")


def test_names_cannot_rewrite_the_terminal(bundle: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "plain.png", (1, 2, 3))
    picture = picture.rename(tmp_path / "a\x1b[2Jb.png")
    assert "\x1b" not in read(bundle, picture).stdout


@pytest.mark.parametrize("name", ["clip.avi", "CLIP.MP4"])
def test_a_video_is_for_the_daemon(bundle: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"RIFF")
    line = refused(InputError, bundle, tmp_path / name)
    assert "is a video, and pictures are read here. analyte daemon --device PROFILE" in line
    assert line.startswith(str(tmp_path / name))
    assert f"--source {name} measures its frames" in line


def test_pictures_in_sub_folders(bundle: Path, tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        write_picture(tmp_path / day / "a.png", (1, 2, 3))
    line = refused(InputError, bundle, tmp_path)
    assert "no pictures in the folder itself; expected names that end in .bmp" in line
    assert "; got sub-folders monday, tuesday. Name the folders" in line
    assert "analyte evaluate BUNDLE DATASET" in line
    assert len(readings(bundle, tmp_path / "monday", tmp_path / "tuesday")) == 2


def test_a_folder_says_which_files_it_leaves_out(bundle: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", (1, 2, 3))
    for name in ("IMG_1.HEIC", "IMG_2.HEIC", ".hidden", "n\x1b[2J.txt"):
        (tmp_path / name).write_bytes(b"x")
    result = read(bundle, tmp_path)
    assert result.exit_code == 0
    said = next(line for line in result.stderr.splitlines() if "left out" in line)
    assert said.startswith(f"analyte read: {tmp_path}: left out, for they do not end in .bmp")
    assert "IMG_1.HEIC, IMG_2.HEIC" in said
    assert ".hidden" not in said
    assert "\x1b" not in said


def test_a_folder_of_other_files_only(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"x")
    assert "no pictures in the folder itself" in (line := refused(InputError, bundle, tmp_path))
    assert line.endswith("got other files IMG_1.HEIC")


def test_a_folder_that_nobody_may_list_is_bad_input(bundle: Path, tmp_path: Path, monkeypatch: Any) -> None:
    iterdir = Path.iterdir

    def denied(path: Path) -> Any:
        if path == tmp_path:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", denied)
    line = refused(InputError, bundle, tmp_path)
    assert line == f"{tmp_path}: the folder cannot be listed; got Permission denied"


def test_a_picture_that_nobody_may_see_does_not_stop_the_rest(
    bundle: Path, pictures: list[Path], monkeypatch: Any
) -> None:
    stat = Path.stat

    def denied(path: Path, **options: Any) -> Any:
        if path == pictures[1]:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", denied)
    assert [r["reason"] for r in readings(bundle, *pictures)] == [None, "bad_frame", None]
