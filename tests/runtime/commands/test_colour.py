"""``analyte colour``: charts that are found and corrected, charts that are refused, calibrations
checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.colour_calibration import load_calibration
from conftest import Invoke
from runtime.colour.scenes import CAST, CORNERS, WHITE, chart_scene, corners_text, write
from runtime.tiny_bundles import File, onnx_model, write_bundle, write_profile

FIXED = ("--chart", "classic", "--corners", corners_text())


@pytest.mark.parametrize("turns", range(4))
def test_chart_is_found_however_it_is_turned(tmp_path: Path, invoke: Invoke, turns: int) -> None:
    photo = write(tmp_path / "photo.png", np.rot90(chart_scene(CAST), turns))
    out, picture = tmp_path / "c.json", tmp_path / "overlay.png"
    done = invoke(
        "colour", "calibrate", photo, "--chart", "classic", "-o", out, "--picture", picture, "--json"
    )
    assert done.code == 0, done.stderr
    chart = json.loads(done.stdout)["chart"]
    assert chart["before"]["mean"] > 10
    assert chart["after"]["mean"] < 1.5
    assert chart["left_out"]["mean"] < 2.0
    assert not chart["fixed"]
    height, width = chart_scene().shape[:2]
    expected = CORNERS
    for _ in range(turns):
        expected = np.stack([expected[:, 1], width - 1 - expected[:, 0]], axis=1)
        height, width = width, height
    np.testing.assert_allclose(chart["corners"], expected, atol=6)
    drawn = cv2.imread(str(picture))
    assert drawn is not None
    assert drawn.shape[:2] == (height, width)


def test_check(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "c.json"
    good = write(tmp_path / "good.png", chart_scene(CAST))
    assert invoke("colour", "calibrate", good, *FIXED, "-o", out).code == 0
    done = invoke("colour", "check", out, good, "--json")
    found = json.loads(done.stdout)
    assert (done.code, found["passed"]) == (0, True)
    assert found["drift"]["max"] < 0.01
    assert found["residual"] == found["residual_then"]
    warmer = write(tmp_path / "warmer.png", chart_scene(np.diag([1.25, 1.0, 0.7]) @ CAST))
    done = invoke("colour", "check", out, warmer, "--json")
    assert done.code == 3
    assert not json.loads(done.stdout)["passed"]
    assert "drift" in done.stderr
    assert "make it anew" in done.stderr


def test_white_patch_takes_a_drift_out(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "c.json"
    light = 0.6 * np.eye(3)
    good = write(tmp_path / "good.png", chart_scene(light))
    assert invoke("colour", "calibrate", good, *FIXED, "--white", str(WHITE), "-o", out).code == 0
    warmer = write(tmp_path / "warmer.png", chart_scene(np.diag([1.3, 1.0, 0.7]) @ light))
    done = invoke("colour", "check", out, warmer, "--json")
    assert done.code == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout)["gains"], [1 / 1.3, 1, 1 / 0.7], rtol=0.02)


def test_check_of_a_white_patch_alone_has_a_limit(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "c.json"
    good = write(tmp_path / "good.png", chart_scene(0.5 * np.eye(3)))
    assert invoke("colour", "calibrate", good, "--white", str(WHITE), "-o", out).code == 0
    dimmer = write(tmp_path / "dimmer.png", chart_scene(np.diag([0.4, 0.4, 0.4])))
    assert invoke("colour", "check", out, dimmer).code == 0
    bluer = write(tmp_path / "bluer.png", chart_scene(np.diag([0.3, 0.5, 0.6])))
    done = invoke("colour", "check", out, bluer)
    assert done.code == 3
    assert "light of the white patch changed 1.67-fold, of at most 1.5" in done.stderr
    assert invoke("colour", "check", out, bluer, "--max-gain", "1.8").code == 0


def test_photographs_of_another_size_are_refused(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "c.json"
    good = write(tmp_path / "good.png", chart_scene())
    larger = write(tmp_path / "larger.png", np.pad(chart_scene(), ((0, 20), (0, 0), (0, 0)), mode="edge"))
    both = invoke("colour", "calibrate", good, larger, "--white", str(WHITE), "-o", out)
    assert both.code == 3
    assert invoke("colour", "calibrate", good, "--white", str(WHITE), "-o", out).code == 0
    done = invoke("colour", "check", out, larger)
    assert done.code == 3
    assert "not of the size of the calibration's photographs; expected 420x240; got 420x260" in done.stderr


def test_altered_calibration_is_exit_7(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "c.json"
    good = write(tmp_path / "good.png", chart_scene())
    assert invoke("colour", "calibrate", good, "--white", str(WHITE), "-o", out).code == 0
    out.write_text(out.read_text("utf-8").replace('"valid_days": 30.0', '"valid_days": 300.0'), "utf-8")
    assert invoke("colour", "check", out, good).code == 7
    section = f"[colour]\ncalibration = {str(out)!r}\nwhite = {{ x = 330, y = 60, w = 40, h = 40 }}\n"
    profile = write_profile(tmp_path / "p.toml", measure=section)
    bundle = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", onnx_model(1))])
    assert invoke("read", bundle, good, "--device", profile).code == 7
    assert invoke("device", "check", profile, "--json").code == 7
    out.unlink()
    assert invoke("read", bundle, good, "--device", profile).code == 3


def hidden(picture: UInt8Array) -> UInt8Array:
    picture[100:200, 150:200] = (90, 120, 180)  # a finger across two patches and halves of others
    return picture


def one_patch_hidden(picture: UInt8Array) -> UInt8Array:
    picture[82:118, 122:158] = (200, 40, 20)  # a whole patch, evenly
    return picture


def smear(picture: UInt8Array) -> UInt8Array:
    picture[40:80, 40:58] //= 3
    return picture


def warped(corners: object) -> Callable[[UInt8Array], UInt8Array]:
    def change(picture: UInt8Array) -> UInt8Array:
        matrix = cv2.getPerspectiveTransform(CORNERS.astype(np.float32), np.asarray(corners, np.float32))
        return np.asarray(cv2.warpPerspective(picture, matrix, (420, 240)), np.uint8)

    return change


TILTED = [[42, 42], [278, 90], [278, 150], [42, 198]]
SMALL = [[42, 42], [90, 42], [90, 74], [42, 74]]
MIRRORED = CORNERS[[1, 0, 3, 2]]


@pytest.mark.parametrize(
    ("change", "corners", "match"),
    [
        (hidden, CORNERS, "not of one colour"),
        (one_patch_hidden, CORNERS, "'moderate red' does not go with the others"),
        (smear, CORNERS, "not of one colour"),
        (warped(TILTED), np.array(TILTED), "tilted"),
        (warped(SMALL), np.array(SMALL), "too small"),
        (warped(MIRRORED), CORNERS, "greys that fall from white to black"),
        (warped(MIRRORED), MIRRORED, "mirrored"),
        (lambda p: p, CORNERS[[2, 3, 0, 1]], "greys that fall from white to black"),
        (lambda p: p, CORNERS + 20, "not of one colour"),
        (lambda p: p, CORNERS + 200, "outside the picture"),
        (lambda p: np.minimum(p.astype(int) * 2, 255).astype(np.uint8), CORNERS, "over-exposed"),
        (lambda p: p // 12, CORNERS, "under-exposed"),
    ],
)
def test_refused_charts(
    tmp_path: Path,
    invoke: Invoke,
    change: Callable[[UInt8Array], UInt8Array],
    corners: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    match: str,
) -> None:
    photo = write(tmp_path / "photo.png", change(chart_scene()))
    out = tmp_path / "c.json"
    text = corners_text(corners)
    done = invoke("colour", "calibrate", photo, "--chart", "classic", "--corners", text, "-o", out)
    assert done.code == 3
    assert match in done.stderr
    assert not out.exists()
    searched = invoke("colour", "calibrate", photo, "--chart", "classic", "-o", out)
    if change in (hidden, one_patch_hidden) or "exposed" in match:
        assert searched.code == 3
        assert not out.exists()


def test_two_charts_in_one_picture(tmp_path: Path, invoke: Invoke) -> None:
    out = tmp_path / "c.json"
    both = write(tmp_path / "both.png", np.concatenate([chart_scene(), chart_scene()]))
    done = invoke("colour", "calibrate", both, "--chart", "classic", "-o", out)
    assert done.code == 3
    assert "two colour charts in the picture" in done.stderr
    assert invoke("colour", "calibrate", both, *FIXED, "-o", out).code == 0


def test_no_chart(tmp_path: Path, invoke: Invoke) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    for name, picture in (("noise", noise), ("grey", np.full_like(noise, 90))):
        photo = write(tmp_path / f"{name}.png", picture)
        done = invoke("colour", "calibrate", photo, "--chart", "classic", "-o", tmp_path / "c.json")
        assert done.code == 3, name


def test_dark_and_flat(tmp_path: Path, invoke: Invoke) -> None:
    rng = np.random.default_rng(0)
    dark = [write(tmp_path / f"d{i}.png", rng.integers(0, 6, (240, 420, 3), np.uint8)) for i in range(3)]
    fall = np.linspace(120, 220, 420).astype(np.uint8)
    flat = write(
        tmp_path / "f.png", np.ascontiguousarray(np.broadcast_to(fall[None, :, None], (240, 420, 3)))
    )
    out = tmp_path / "c.json"
    darks = [word for file in dark for word in ("--dark", file)]
    done = invoke("colour", "calibrate", *darks, "--flat", flat, "-o", out)
    assert done.code == 0, done.stderr
    calibration, maps = load_calibration(out)
    assert set(calibration.photographs) == {"d0.png", "d1.png", "d2.png", "f.png"}
    assert maps.gain is not None
    assert float(maps.gain[:, 5].mean()) > 1.5 > 1.0 > float(maps.gain[:, -5].mean())
    small = write(tmp_path / "s.png", chart_scene()[:200])
    refused = invoke("colour", "calibrate", small, *FIXED, "--flat", flat, "-o", tmp_path / "e.json")
    assert refused.code == 3
    assert "of the size of the dark and flat-field frames" in refused.stderr
    assert invoke("colour", "calibrate", "--dark", flat, "-o", tmp_path / "e.json").code == 3
    assert invoke("colour", "calibrate", "--flat", dark[0], "-o", tmp_path / "e.json").code == 3


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ((), "nothing to calibrate"),
        (("--chart", "classic"), "no photograph"),
        (("--corners", "1,2"), "go with --chart"),
        (("photo.png", "--chart", "classic", "--corners", "1,2"), "eight numbers"),
        (("photo.png", "--white", "1,1,9,9", "--valid-days", "1e-9"), "is not in the range 0.1<=x"),
        (("photo.png", "--white", "1,1,9,9", "--valid-days", "nan"), "'nan' is not a finite number"),
    ],
)
def test_usage(tmp_path: Path, invoke: Invoke, words: tuple[str, ...], match: str) -> None:
    done = invoke("colour", "calibrate", *words, "-o", tmp_path / "c.json")
    assert done.code == 2
    assert match in done.stderr


@pytest.mark.parametrize("option", ["--max-residual", "--max-drift", "--max-gain"])
@pytest.mark.parametrize("number", ["nan", "inf"])
def test_no_limit_is_one_that_nothing_passes(
    tmp_path: Path, invoke: Invoke, option: str, number: str
) -> None:
    done = invoke("colour", "check", tmp_path / "c.json", tmp_path / "p.png", option, number)
    assert (done.code, f"'{number}' is not a finite number" in done.stderr) == (2, True)
