"""``analyte colour correct``: datasets as the device would see them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.errors import ProfileError
from analyte.contract.imaging import read_image
from analyte.contract.labels_file import load_dataset
from analyte.contract.preprocessing import Box, PreprocessingSpec, preprocess
from analyte.contract.profile import load_profile
from analyte.contract.run import DatasetRecord
from analyte.runtime.colour.registry import corrector_of
from conftest import Invoke
from contract.datasets import TOML
from runtime.colour.scenes import CAST, WHITE, chart_scene, corners_text, write
from runtime.commands.test_read import read, refused
from runtime.tiny_bundles import edit_manifest, write_profile

PATCH = f"white = {{ x = {WHITE.x}, y = {WHITE.y}, w = {WHITE.w}, h = {WHITE.h} }}\n"
CHART = ("--chart", "classic", "--corners", corners_text())
BOX = Box(x=42, y=42, w=236, h=156)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three frames in light that changes, one of them a JPEG in a sub-folder, with a column of its own."""
    folder = tmp_path / "data"
    (folder / "day 2").mkdir(parents=True)
    for name, light in (("a.png", 1.0), ("b.png", 0.8), ("day 2/c.jpg", 0.6)):
        write(folder / name, chart_scene(np.diag([1.0, light, 1.0]) @ CAST))
    rows = ["path,value,note", 'a.png,1,"x\ny"', "", '"b.png",2,"y, z"', "day 2/c.jpg,3,"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "dataset.toml").write_text(TOML, "utf-8")
    return folder


def profile_for(
    folder: Path, invoke: Invoke, *words: str | Path, section: str = PATCH, camera: str = ""
) -> Path:
    photo = write(folder / "photo.png", chart_scene(CAST))
    done = invoke("colour", "calibrate", photo, *words, "-o", folder / "c.json", "--overwrite")
    assert done.code == 0, done.stderr
    text = f'[colour]\ncalibration = "c.json"\n{section}'
    return write_profile(folder / "p.toml", measure=text, camera=camera)


@pytest.mark.parametrize("words", [("--white", str(WHITE)), ("--white", str(WHITE), *CHART)])
def test_pictures_are_what_the_device_makes_of_them(
    tmp_path: Path, invoke: Invoke, dataset: Path, words: tuple[str, ...]
) -> None:
    profile = profile_for(tmp_path, invoke, *words)
    out = tmp_path / "out"
    done = invoke("colour", "correct", dataset, "-o", out, "--device", profile, "--json")
    assert done.code == 0, done.stderr
    assert json.loads(done.stdout)["method"] == ("white+chart" if CHART[0] in words else "white")
    made = load_dataset(out)
    assert made.spec.colours == DatasetRecord.of(made, ()).colours == json.loads(done.stdout)["method"]
    assert [view.path.relative_to(out).as_posix() for s in made.samples for view in s.views] == [
        "a.png",
        "b.png",
        "day 2/c.jpg.png",
    ]
    section = load_profile(profile).colour.model_copy(update={"trained_alike": True})
    corrector = corrector_of(section, folder=tmp_path, where="p")
    assert corrector is not None
    spec = PreprocessingSpec(size=64)
    for before, after in zip(load_dataset(dataset).samples, made.samples, strict=True):
        frame = read_image(before.views[0].path)
        on_device = preprocess(frame, spec, BOX)[np.newaxis]
        corrector.correct(frame, [BOX], on_device)
        in_training = preprocess(read_image(after.views[0].path), spec, BOX)
        apart = np.abs(in_training.astype(int) - on_device[0])
        assert apart.mean() < 1.0
        assert (before.value, before.split) == (after.value, after.split)


def trained_on(bundle: Path, folder: Path, colours: str) -> Path:
    """Return a copy of a bundle whose training pictures were corrected so."""
    path = Path(shutil.copytree(bundle, folder / f"{colours}.analyte"))
    provenance = json.loads((path / "manifest.json").read_text("utf-8"))["provenance"]
    provenance["dataset"]["colours"] = colours
    edit_manifest(path, provenance=provenance)
    return path


class TestBundleOfCorrectedPictures:
    """Its network never saw the colours of the camera."""

    def test_device_that_corrects_otherwise_is_refused(
        self, tmp_path: Path, invoke: Invoke, bundle: Path
    ) -> None:
        charted = trained_on(bundle, tmp_path, "white+chart")
        photo = write(tmp_path / "p.png", chart_scene(CAST))
        plain = write_profile(tmp_path / "plain.toml")
        line = refused(ProfileError, charted, photo, "--device", plain)
        assert "trained on pictures whose colours were corrected otherwise" in line
        assert "expected white+chart; got no calibration" in line
        white = profile_for(tmp_path, invoke, "--white", str(WHITE))
        assert "got white." in refused(ProfileError, charted, photo, "--device", white)
        alike = PATCH + "trained_alike = true\n"
        both = profile_for(tmp_path, invoke, "--white", str(WHITE), *CHART, section=alike)
        assert read(charted, photo, "--device", both).exit_code == 0
        # The patch only keeps colours where they were.
        charts = profile_for(tmp_path, invoke, *CHART, section="trained_alike = true\n")
        assert read(charted, photo, "--device", charts).exit_code == 0

    def test_white_patch_asks_for_nothing(self, tmp_path: Path, bundle: Path) -> None:
        photo = write(tmp_path / "p.png", chart_scene(CAST))
        balanced = trained_on(bundle, tmp_path, "white")
        done = read(balanced, photo, "--device", write_profile(tmp_path / "plain.toml"))
        assert (done.exit_code, "colours" in done.stderr) == (0, False)

    def test_without_a_profile_it_is_said(self, tmp_path: Path, bundle: Path) -> None:
        photo = write(tmp_path / "p.png", chart_scene(CAST))
        done = read(trained_on(bundle, tmp_path, "flat"), photo)
        assert done.exit_code == 0
        assert "trained on pictures whose colours were corrected (flat)" in done.stderr
        assert "colours" not in read(bundle, photo).stderr


def test_dark_and_flat_fields_of_a_frame_that_is_not_square(
    tmp_path: Path, invoke: Invoke, dataset: Path
) -> None:
    fall = np.linspace(120, 220, 420).astype(np.uint8)[None, :, None]
    flat = write(tmp_path / "f.png", np.ascontiguousarray(np.broadcast_to(fall, (240, 420, 3))))
    profile = profile_for(tmp_path, invoke, "--flat", flat, section="")
    done = invoke("colour", "correct", dataset, "-o", tmp_path / "out", "--device", profile)
    assert done.code == 0, done.stderr
    before, after = read_image(dataset / "a.png"), read_image(tmp_path / "out" / "a.png")
    assert after[:, :40].mean() > before[:, :40].mean()
    assert after[:, -40:].mean() < before[:, -40:].mean()


def test_labels_and_what_was_done_are_written(tmp_path: Path, invoke: Invoke, dataset: Path) -> None:
    profile = profile_for(tmp_path, invoke, "--white", str(WHITE))
    out = tmp_path / "out"
    assert invoke("colour", "correct", dataset, "-o", out, "--device", profile).code == 0
    rows = (out / "labels.csv").read_text("utf-8").splitlines()
    assert rows == ["path,value,note", 'a.png,1,"x', 'y"', 'b.png,2,"y, z"', "day 2/c.jpg.png,3,"]
    first, rest = (out / "dataset.toml").read_text("utf-8").split("\n", 1)
    assert first.startswith("# Colours corrected by analyte colour correct: white, calibration sha256 ")
    assert rest == f'colours = "white"\n{TOML}'
    again = invoke("colour", "correct", out, "-o", tmp_path / "twice", "--device", profile)
    assert again.code == 3
    assert "corrected already" in again.stderr
    assert not (tmp_path / "twice").exists()


def test_refused_pictures_are_listed_and_left_out(tmp_path: Path, invoke: Invoke, dataset: Path) -> None:
    profile = profile_for(tmp_path, invoke, "--white", str(WHITE))
    hidden = chart_scene(CAST)
    hidden[WHITE.y : WHITE.y + 20, WHITE.x : WHITE.x + 20] = 10
    write(dataset / "b.png", hidden)
    (dataset / "day 2" / "c.jpg").write_bytes(b"damaged")
    out = tmp_path / "out"
    done = invoke("colour", "correct", dataset, "-o", out, "--device", profile, "--json")
    assert done.code == 3
    assert "b.png: white patch: it is uneven" in done.stderr
    assert "2 of 3 pictures could not be corrected; 2 samples are left out" in done.stderr
    assert set(json.loads(done.stdout)["refused"]) == {"b.png", "day 2/c.jpg"}
    assert [sample.id for sample in load_dataset(out).samples] == ["a.png"]
    assert {file.name for file in out.rglob("*.png")} == {"a.png"}


def test_pictures_of_another_size_have_their_white_patch_elsewhere(
    tmp_path: Path, invoke: Invoke, dataset: Path
) -> None:
    for name in ("a.png", "b.png", "day 2/c.jpg"):
        larger = cv2.resize(read_image(dataset / name), (500, 300))
        write(dataset / name, np.asarray(larger, np.uint8))
    for camera in ("", "width = 420\nheight = 240"):
        profile = profile_for(tmp_path, invoke, "--white", str(WHITE), camera=camera)
        done = invoke("colour", "correct", dataset, "-o", tmp_path / "out", "--device", profile)
        assert done.code == 3
        assert "no sample can be corrected" in done.stderr
        assert "expected 420x240; got 500x300" in done.stderr
        assert not (tmp_path / "out").exists()


def test_what_cannot_be_corrected(tmp_path: Path, invoke: Invoke, dataset: Path) -> None:
    out = tmp_path / "out"
    plain = write_profile(tmp_path / "plain.toml")
    done = invoke("colour", "correct", dataset, "-o", out, "--device", plain)
    assert (done.code, "colour.calibration: is not set" in done.stderr) == (3, True)
    profile = profile_for(tmp_path, invoke, "--white", str(WHITE))
    done = invoke("colour", "correct", dataset, "-o", dataset, "--device", profile, "--overwrite")
    assert (done.code, "is the dataset itself" in done.stderr) == (3, True)
    (dataset / "dataset.toml").unlink()
    done = invoke("colour", "correct", dataset, "-o", out, "--device", profile)
    assert (done.code, "has no dataset.toml" in done.stderr) == (3, True)
    (dataset / "dataset.toml").write_text(TOML, "utf-8")
    (dataset / "labels.csv").write_text("path,value\n../photo.png,1\n", "utf-8")
    done = invoke("colour", "correct", dataset, "-o", out, "--device", profile)
    assert (done.code, "outside the dataset's folder" in done.stderr) == (3, True)
    assert not out.exists()
