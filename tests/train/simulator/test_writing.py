"""Datasets, clips and the command, through what they write."""

import csv
import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from analyte.cli import cli
from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import OutputError, SettingsError
from analyte.contract.imaging import read_image
from analyte.contract.labels_file import load_dataset
from analyte.contract.splits import assign_splits
from analyte.train.simulator import clip, writer
from analyte.train.simulator.clip import ClipOptions, render_clip
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.sensor import Development, develop
from analyte.train.simulator.studio import Studio
from analyte.train.simulator.writer import write_dataset

SMALL = SimulationConfig(samples=12, size_px=40)


def test_a_study_is_a_dataset_with_its_truth(tmp_path: Path) -> None:
    config = SimulationConfig(samples=24, size_px=40, reference=True, seed=3)
    calls: list[tuple[int, int]] = []
    result = write_dataset(tmp_path / "d", config, progress=lambda done, total: calls.append((done, total)))
    dataset = load_dataset(tmp_path / "d")
    assert dataset.spec.views == ("sample", "reference")
    assert (dataset.spec.unit, dataset.spec.range) == ("ug/L", (80.0, 350.0))
    assert dataset.spec.noise_floor == pytest.approx(result.noise_floor, rel=1e-5)
    assert result.splits == {"test": 4, "train": 16, "val": 4} == dataset.counts()
    assert calls == [(done, 24) for done in range(1, 25)]
    assert all(read_image(view.path).shape == (40, 40, 3) for s in dataset.samples for view in s.views)
    by_split = {split: {s.session for s in dataset.samples if s.split == split} for split in result.splits}
    assert not by_split["train"] & by_split["test"]
    assert assign_splits(dataset, seed=0) == dataset  # no specimen stands on two sides

    truth = json.loads((tmp_path / "d" / "truth.json").read_text())
    rows = _rows(tmp_path / "d" / "truth.csv")
    assert [float(row["value_ug_per_L"]) for row in rows] == [s.value for s in dataset.samples]
    assert [row["session"] for row in rows] == [s.session for s in dataset.samples]
    assert {session["name"] for session in truth["sessions"]} >= {row["session"] for row in rows}
    # Peak absorbance is stated for the nominal path; that of each sample differs by the filled volume only.
    paths = [float(row["mean_path_cm"]) for row in rows]
    assert np.mean(paths) == pytest.approx(truth["scene"]["nominal_path_cm"], rel=0.01)
    assert 0.001 < np.std(paths) / np.mean(paths) < 0.01
    assert truth["reaction"]["peak_absorbance_at_high"] == pytest.approx(0.67, abs=0.02)


def test_a_photograph_darkens_with_concentration_and_the_reference_does_not(tmp_path: Path) -> None:
    config = SimulationConfig(samples=40, size_px=40, reference=True, sessions=1)
    write_dataset(tmp_path / "d", config)
    samples = load_dataset(tmp_path / "d").samples
    values = np.array([s.value for s in samples])
    green = np.array([[read_image(v.path)[12:28, 12:28, 1].mean() for v in s.views] for s in samples])
    assert np.corrcoef(values, green[:, 0])[0, 1] < -0.95
    assert abs(np.corrcoef(values, green[:, 1])[0, 1]) < 0.5


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_dataset(tmp_path / name, SimulationConfig(samples=6, size_px=40, reference=True, seed=seed))
    first, second, other = (_contents(tmp_path / name) for name in "abc")
    assert first == second
    assert all(first[name] != other[name] for name in first if name.endswith(".jpg"))


def test_fewer_samples_are_the_beginning_of_more(tmp_path: Path) -> None:
    write_dataset(tmp_path / "few", SimulationConfig(samples=5, size_px=40))
    write_dataset(tmp_path / "more", SMALL)
    few, more = _contents(tmp_path / "few"), _contents(tmp_path / "more")
    assert all(more[name] == data for name, data in few.items() if name.endswith(".jpg"))
    assert more["labels.csv"].startswith(few["labels.csv"])


def test_pictures_are_the_same_on_every_machine() -> None:
    # Of the arrays before JPEG: JPEG libraries differ. A change here changes every simulated dataset.
    digest = hashlib.sha256()
    for reaction in ("griess", "brilliant-blue", "phenol-red"):
        studio = Studio(SimulationConfig(size_px=48, seed=7, reaction=reaction))
        for index in range(4):
            digest.update(studio.photograph(studio.specimen(index)).tobytes())
            digest.update(studio.photograph_reference(studio.specimen(index)).tobytes())
    assert digest.hexdigest() == "7c8f85b22db9549e70426a75d6269e909b5c4aacbe8a827e4f32c48b3498ac1e"


def test_photographs_do_not_depend_on_the_order_in_which_they_are_taken() -> None:
    forward, backward = Studio(SMALL), Studio(SMALL)
    pictures = [forward.photograph(forward.specimen(i)) for i in range(4)]
    reverse = [backward.photograph(backward.specimen(i)) for i in reversed(range(4))]
    assert all(np.array_equal(a, b) for a, b in zip(pictures, reversed(reverse), strict=True))


def test_a_series_of_standards_is_one_group_per_level_and_session(tmp_path: Path) -> None:
    config = SimulationConfig(samples=60, size_px=32, levels=4, sessions=3, range=(100.0, 250.0))
    write_dataset(tmp_path / "d", config)
    samples = load_dataset(tmp_path / "d").samples
    assert {s.value for s in samples} == {100.0, 150.0, 200.0, 250.0}
    assert len({(s.group, s.value, s.session) for s in samples}) == len({s.group for s in samples})
    assert len({s.group for s in samples}) == len({(s.value, s.session) for s in samples})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"samples": 0}, "--samples: out of bounds; expected 1 to 10000000; got 0"),
        ({"size_px": 8}, "size"),
        ({"sessions": 0}, "sessions"),
        ({"levels": 1}, "levels"),
        ({"jpeg_quality": 101}, "jpeg"),
        ({"seed": -1}, "seed"),
        ({"range": (350.0, 80.0)}, "order"),
        ({"range": (80.0, float("nan"))}, "nan"),
        ({"range": (-5.0, 80.0)}, "-5"),
        ({"reaction": "magic"}, "griess"),
        ({"camera": "eye"}, "Nikon"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        SimulationConfig(**change)


def test_a_failure_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path / "d", SMALL)
    before = _contents(tmp_path)
    with pytest.raises(OutputError, match="exists"):
        write_dataset(tmp_path / "d", SMALL)

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(writer, "encode_jpeg", full)
    with pytest.raises(OutputError, match="full"):
        write_dataset(tmp_path / "d", SMALL, overwrite=True)
    assert _contents(tmp_path) == before


def test_a_clip_shows_the_values_that_it_says(tmp_path: Path) -> None:
    options = ClipOptions(width_px=160, height_px=120, region_px=100, seconds_per_value=0.3)
    info = render_clip(tmp_path / "c.avi", SMALL, [300, 100], options=options)
    rows = _rows(info.values_path)
    assert [float(row["value"]) for row in rows] == [300.0] * 3 + [100.0] * 3
    assert [row["time_s"] for row in rows][:2] == ["0.000", "0.100"]
    described = json.loads(info.info_path.read_text())
    assert described["region"] == {"x": 30, "y": 10, "w": 100, "h": 100} == info.region.model_dump()
    assert (described["unit"], described["frames_per_second"]) == ("ug/L", 10)

    capture = cv2.VideoCapture(str(info.path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(np.asarray(read[1]))
    capture.release()
    assert len(frames) == info.frames == 6
    assert frames[0].shape == (120, 160, 3)
    middle = [frame[50:70, 70:90, 1].mean() for frame in frames]
    assert max(middle[:3]) + 20 < min(middle[3:])  # more dye, less green
    assert not np.array_equal(frames[0], frames[1])  # fresh noise


def test_compressing_a_clip_does_not_shift_its_colours(tmp_path: Path) -> None:
    options = ClipOptions(width_px=160, height_px=120, region_px=100, seconds_per_value=0.1)
    shown: list[UInt8Array] = []

    def spy(raw: Float64Array, development: Development) -> UInt8Array:
        shown.append(develop(raw, development))
        return shown[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clip, "develop", spy)
        info = render_clip(tmp_path / "c.avi", SMALL, [200.0], options=options)
    capture = cv2.VideoCapture(str(info.path))
    frame = np.asarray(capture.read()[1])
    capture.release()
    patch_of = (slice(45, 75), slice(65, 95))
    difference = frame[patch_of].astype(np.float64) - shown[0][patch_of]
    assert np.abs(difference.mean((0, 1))).max() < 1.5


@pytest.mark.parametrize(
    ("name", "values", "word"),
    [("c.mp4", [100.0], ".avi"), ("c.avi", [], "no concentration"), ("c.avi", [-1.0], "-1")],
)
def test_clips_that_cannot_be_are_refused(tmp_path: Path, name: str, values: list[float], word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        render_clip(tmp_path / name, SMALL, values)
    with pytest.raises(SettingsError, match="region"):
        ClipOptions(width_px=100, height_px=100, region_px=101)


def test_the_command_writes_dataset_and_clip_and_sums_up(tmp_path: Path) -> None:
    arguments = ["--samples", "6", "--seed", "1", "--size", "40", "--reference", "--json"]
    film = tmp_path / "c.avi"
    result = _run(
        tmp_path / "d", *arguments, "--range", "100", "200", "--clip", film, "--clip-values", "120,180"
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["samples"], summary["photographs"], summary["range"]) == (6, 12, [100.0, 200.0])
    assert summary["clip"]["values"] == [120.0, 180.0]
    assert load_dataset(tmp_path / "d").spec.label.range == (100.0, 200.0)
    assert film.is_file()


def test_the_command_checks_every_output_before_it_works(tmp_path: Path) -> None:
    film = tmp_path / "c.avi"
    film.write_text("mine")
    result = _run(tmp_path / "d", "--samples", "6", "--size", "40", "--clip", film)
    assert isinstance(result.exception, OutputError)
    assert result.exception.exit_code == 3
    assert [p.name for p in tmp_path.iterdir()] == ["c.avi"]
    assert film.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--reaction", "magic"], 2),
        (["--clip-values", "1,2"], 2),
        (["--samples", "0"], 2),
        (["--range", "350", "80"], 2),
        (["--size", "5"], 2),
        (["--clip", "x.avi", "--clip-values", "a,b"], 2),
    ],
)
def test_bad_arguments_have_their_exit_code(tmp_path: Path, arguments: list[str], code: int) -> None:
    result = _run(tmp_path / "d", *arguments)
    assert code == (getattr(result.exception, "exit_code", None) or result.exit_code)
    assert not (tmp_path / "d").exists()


def _run(*arguments: str | int | Path) -> Result:
    return CliRunner().invoke(cli, ["simulate", *(str(argument) for argument in arguments)])


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_too_few_samples_for_the_sessions_is_said(tmp_path: Path) -> None:
    """The last session is the test's: the fifth sample of six days leaves it empty."""
    few = _run(tmp_path / "few", "--samples", 5, "--sessions", 6, "--size", 32)
    assert few.exit_code == 0
    assert (
        "warning: no sample for test: 5 samples do not reach all of 6 sessions; pass --samples 6"
        in few.stderr
    )
    enough = _run(tmp_path / "enough", "--samples", 6, "--sessions", 6, "--size", 32)
    assert (enough.exit_code, enough.stderr) == (0, "")
    # Two sessions hold nothing back, and training is to choose.
    two = _run(tmp_path / "two", "--samples", 4, "--sessions", 2, "--size", 32)
    assert (two.exit_code, two.stderr) == (0, "")
