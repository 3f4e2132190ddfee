"""What a device makes of a calibration: pictures corrected, frames refused, profiles refused at the
start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.colour_calibration import ColourCalibration, Maps, WhitePatch, save_calibration
from analyte.contract.errors import IntegrityError, ProfileError
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.contract.sections.colour import ColourSection
from analyte.runtime.colour.calibrating import Wanted, calibrate
from analyte.runtime.colour.protocol import ColourCorrector
from analyte.runtime.colour.references import CHARTS
from analyte.runtime.colour.registry import corrector_of
from analyte.runtime.colour.srgb import to_linear, to_signal
from analyte.runtime.refusal import Refusal
from runtime.colour.scenes import CAST, CORNERS, WHITE, chart_scene, write

PATCHES = Box(x=40, y=40, w=240, h=160)


def opened(folder: Path, **options: object) -> ColourCorrector:
    section = ColourSection.model_validate({"calibration": "c.json", "trained_alike": True, **options})
    corrector = corrector_of(section, folder=folder, where="device.toml")
    assert corrector is not None
    return corrector


def calibrated(folder: Path, *, chart: bool = True, white: bool = True, cast: Float64Array = CAST) -> Path:
    photo = write(folder / "photo.png", chart_scene(cast))
    wanted = Wanted("classic" if chart else None, CORNERS, WHITE if white else None, (), (), 30.0, 5.0)
    made = calibrate([photo], wanted)
    save_calibration(folder / "c.json", made.calibration, made.maps)
    return folder / "c.json"


def rgb(frame: UInt8Array, box: Box) -> UInt8Array:
    """The region without resizing, as ``[1, H, W, 3]``: pixels stay comparable."""
    part = frame[box.y : box.y + box.h, box.x : box.x + box.w, ::-1]
    return np.ascontiguousarray(part)[np.newaxis]


def test_nothing_asked_for() -> None:
    assert corrector_of(ColourSection(), folder=Path(), where="x") is None


def test_chart_brings_patches_to_their_colours(tmp_path: Path) -> None:
    calibrated(tmp_path, white=False)
    frame = chart_scene(CAST)
    pictures = rgb(frame, PATCHES)
    record = opened(tmp_path).correct(frame, [PATCHES], pictures)
    got = to_linear(pictures[0])[20::40, 20::40].reshape(24, 3)
    np.testing.assert_allclose(got, np.clip(CHARTS["classic"].linear, 0, None), atol=0.03)
    assert record.method == "chart"
    assert record.residual_delta_e is not None
    assert record.residual_delta_e < 1.5
    assert record.age_days == pytest.approx(0.0, abs=0.01)
    assert record.gains is None


def test_white_patch_takes_the_light_out(tmp_path: Path) -> None:
    calibrated(tmp_path, chart=False, cast=np.diag([0.5, 0.6, 0.4]))
    then, now = chart_scene(np.diag([0.5, 0.6, 0.4])), chart_scene(np.diag([0.8, 0.5, 0.2]))
    pictures = rgb(now, PATCHES)
    record = opened(tmp_path, white=WHITE).correct(now, [PATCHES], pictures)
    assert record.method == "white"
    np.testing.assert_allclose(record.gains or (), [0.5 / 0.8, 0.6 / 0.5, 0.4 / 0.2], rtol=0.02)
    before = np.abs(rgb(now, PATCHES).astype(int) - rgb(then, PATCHES)).mean()
    after = np.abs(pictures.astype(int) - rgb(then, PATCHES)).mean()
    assert after < 0.05 * before


def field_file(folder: Path) -> tuple[Maps, Float64Array]:
    rng = np.random.default_rng(1)
    fall = np.linspace(0.6, 1.0, 420)[np.newaxis, :, np.newaxis] * np.ones((240, 1, 3))
    dark = np.full((240, 420, 3), 0.02) + 0.01 * rng.random((240, 420, 3))
    maps = Maps(dark.astype(np.float32), (1.0 / fall).astype(np.float32))
    made = ColourCalibration(
        created_at=datetime.now(UTC),
        valid_days=1,
        white=WhitePatch(box=WHITE, light=(0.5, 0.5, 0.5)),
    )
    save_calibration(folder / "c.json", made, maps)
    return maps, np.asarray(0.3 * fall + dark, np.float64)


@pytest.mark.parametrize("box", [None, Box(x=300, y=100, w=96, h=96)])
def test_dark_and_flat_in_linear_light(tmp_path: Path, box: Box | None) -> None:
    _, light = field_file(tmp_path)
    frame = np.ascontiguousarray(to_signal(light)[..., ::-1])
    import cv2

    part = frame if box is None else frame[box.y : box.y + box.h, box.x : box.x + box.w]
    picture = cv2.cvtColor(cv2.resize(part, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    pictures = np.asarray(picture, np.uint8)[np.newaxis].copy()
    record = opened(tmp_path).correct(frame, [box], pictures)
    assert record.method == "dark+flat"
    np.testing.assert_allclose(to_linear(pictures[0]), 0.3, atol=0.006)
    with pytest.raises(Refusal, match="expected a frame of 420x240"):
        opened(tmp_path).correct(frame[:200], [None], pictures)


def broken(kind: str) -> UInt8Array:
    frame = chart_scene()
    rows, columns = slice(WHITE.y, WHITE.y + WHITE.h), slice(WHITE.x, WHITE.x + WHITE.w)
    if kind == "clipped":
        frame[rows, columns, 2] = 255
    elif kind == "too dark":
        frame[rows, columns] = 20
    elif kind == "uneven":
        frame[rows, columns.start : columns.start + 12] //= 2
    elif kind == "outside":
        frame = np.ascontiguousarray(frame[:, :340])
    elif kind == "too far":
        frame[rows, columns] = (40, 240, 240)
    return frame


@pytest.mark.parametrize("kind", ["clipped", "too dark", "uneven", "outside", "too far"])
def test_bad_white_patch_is_refused(tmp_path: Path, kind: str) -> None:
    calibrated(tmp_path, chart=False, cast=0.7 * np.eye(3))
    corrector = opened(tmp_path, white=WHITE)
    good = chart_scene()
    corrector.correct(good, [PATCHES], rgb(good, PATCHES))
    frame = broken(kind)
    with pytest.raises(Refusal, match=kind) as refused:
        corrector.correct(frame, [PATCHES], rgb(good, PATCHES))
    assert refused.value.reason is Reason.COLOUR
    assert "got" in refused.value.detail


def aged(folder: Path, days: float) -> None:
    made = ColourCalibration(
        created_at=datetime.now(UTC) - timedelta(days=days),
        valid_days=30,
        white=WhitePatch(box=WHITE, light=(0.5, 0.5, 0.5)),
    )
    save_calibration(folder / "c.json", made, overwrite=True)


@pytest.mark.parametrize(
    ("days", "options", "match"),
    [
        (31, {"white": WHITE}, "expired; expected at most 30 days; got 31.0 days"),
        (8, {"white": WHITE, "max_age_days": 7}, "expired; expected at most 7 days"),
        (31, {"white": WHITE, "max_age_days": 60}, "expired; expected at most 30 days"),
        (-2, {"white": WHITE}, "future"),
        (1, {}, "colour.white: is required"),
    ],
)
def test_unusable_calibrations(tmp_path: Path, days: float, options: dict[str, object], match: str) -> None:
    aged(tmp_path, days)
    with pytest.raises(ProfileError, match=match):
        opened(tmp_path, **options)


def test_other_profiles_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"c\.json: No such file"):
        opened(tmp_path)
    calibrated(tmp_path, white=False)
    with pytest.raises(ProfileError, match="does not say what colour"):
        opened(tmp_path, white=WHITE)
    with pytest.raises(ProfileError, match="max_residual"):
        opened(tmp_path, max_residual=0.001)
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(ProfileError, match="not a colour calibration"):
        opened(tmp_path)
    (tmp_path / "c.json").unlink()
    path = calibrated(tmp_path)
    path.write_text(path.read_text("utf-8").replace('"valid_days": 30.0', '"valid_days": 300.0'), "utf-8")
    with pytest.raises(IntegrityError, match=r"^device.toml: colour.calibration: .*c.json: .* altered"):
        opened(tmp_path)
    field_file_folder = tmp_path / "fields"
    field_file_folder.mkdir()
    field_file(field_file_folder)
    section = ColourSection(calibration=Path("c.json"), trained_alike=True)
    with pytest.raises(ProfileError, match="markers"):
        corrector_of(section, folder=field_file_folder, where="x", rectified=True)


@pytest.mark.parametrize("fields", [False, True])
def test_colours_that_the_network_was_not_trained_on_are_refused(tmp_path: Path, fields: bool) -> None:
    """A white patch keeps colours as they were; chart, dark and flat frames change all of them."""
    if fields:
        field_file(tmp_path)
    else:
        calibrated(tmp_path)
    with pytest.raises(ProfileError, match=r"trained_alike.*trained on pictures that were corrected"):
        opened(tmp_path, trained_alike=False)
    (tmp_path / "white").mkdir()
    calibrated(tmp_path / "white", chart=False)
    opened(tmp_path / "white", trained_alike=False, white=WHITE)


def test_age_limit_passed_while_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(tmp_path, 29.9)
    corrector = opened(tmp_path, white=WHITE)
    good = chart_scene()
    corrector.correct(good, [PATCHES], rgb(good, PATCHES))
    later = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(ColourCalibration, "age_days", lambda self: (later - self.created_at).days + 0.0 + 1)
    with pytest.raises(Refusal, match="at most 30 days"):
        corrector.correct(good, [PATCHES], rgb(good, PATCHES))


def test_clock_set_back_while_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(tmp_path, 1)
    corrector = opened(tmp_path, white=WHITE)
    good = chart_scene()
    monkeypatch.setattr(ColourCalibration, "from_the_future", True)
    with pytest.raises(Refusal, match="a clock that is later than the colour calibration"):
        corrector.correct(good, [PATCHES], rgb(good, PATCHES))
