"""From frames to readings."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.bundle import open_bundle
from analyte.contract.errors import ImageError, IntegrityError, ProfileError
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.preprocessing import Box, preprocess
from analyte.contract.reading import Flag, Reading, Reason
from analyte.runtime.control.events import CorrectionRecord, RecalibrationRecord
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.measuring import MeasureSettings
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.sources.protocol import BadFrame, Frame
from runtime.tiny_bundles import (
    HALF_WIDTH,
    SIGMA,
    File,
    edit_manifest,
    expected_value,
    onnx_model,
    value_of,
    write_bundle,
)


def frame_of(pixels: UInt8Array, *, age_s: float = 0.0, name: str = "test") -> Frame:
    return Frame(pixels, datetime(2026, 1, 2, 3, 4, 5, 678, UTC), time.monotonic() - age_s, name, 0)


def one_colour(bgr: tuple[int, int, int]) -> Frame:
    return frame_of(np.full((48, 64, 3), bgr, np.uint8))


def noise(height: int = 48, width: int = 64, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 200, (height, width, 3), np.uint8)


def open_pipeline(path: Path, regions: Mapping[str, Box] | None = None, **settings: object) -> Pipeline:
    opened = open_bundle(path)
    artifact = opened.manifest.artifacts[0]
    engine = open_engine(opened.read(artifact), artifact.engine)
    finder = FixedRegions(regions or {})
    return Pipeline(opened, artifact, engine, MeasureSettings("bench-1", finder, **settings))  # type: ignore[arg-type]


def test_reading_says_everything(bundle: Path) -> None:
    pixels = noise()
    box = Box(x=8, y=4, w=32, h=40)
    reading = open_pipeline(bundle, regions={"sample": box}).measure(frame_of(pixels, age_s=0.25))
    opened = open_bundle(bundle)
    seen = preprocess(pixels, opened.manifest.preprocessing, box)
    value = float(expected_value(seen[np.newaxis, np.newaxis])[0])
    assert reading.value == pytest.approx(value, abs=1e-4)
    assert reading.lower == pytest.approx(value - HALF_WIDTH, abs=1e-4)
    assert reading.upper == pytest.approx(value + HALF_WIDTH, abs=1e-4)
    assert (reading.unit, reading.analyte, reading.coverage, reading.sigma) == ("mg/L", "dye", 0.95, SIGMA)
    assert (reading.flags, reading.refused, reading.reason, reading.detail) == ((), False, None, "")
    assert (reading.bundle, reading.artifact) == (opened.id, "onnx")
    assert (reading.engine, reading.provider, reading.device) == ("onnx", "cpu", "bench-1")
    assert (reading.source, reading.frames) == ("test", 1)
    assert reading.captured_at == "2026-01-02T03:04:05.000678+00:00"
    assert 250.0 <= reading.capture_age_ms < 1000.0
    stages = {"locate", "preprocess", "engine", "judge"}
    assert set(reading.latency_ms) == {*stages, "total"}
    assert sum(reading.latency_ms[stage] for stage in stages) <= reading.latency_ms["total"]
    assert reading.frame_sha256 == hashlib.sha256(seen.tobytes()).hexdigest()
    assert reading.regions == {"sample": (8, 4, 32, 40)}
    assert uuid.UUID(reading.id).version == 4
    parsed = json.loads(reading.to_json())
    assert set(parsed) == {field.name for field in dataclasses.fields(Reading)}


def test_readings_do_not_share_anything(bundle: Path) -> None:
    pipeline = open_pipeline(bundle)
    first = pipeline.measure(one_colour((0, 0, 100)))
    second = pipeline.measure(one_colour((0, 0, 50)))
    assert first.value == pytest.approx(value_of((0, 0, 100)), abs=1e-4)
    assert second.value == pytest.approx(value_of((0, 0, 50)), abs=1e-4)
    assert first.id != second.id
    assert first.frame_sha256 != second.frame_sha256


def test_out_of_range(bundle: Path) -> None:
    pipeline = open_pipeline(bundle)
    flagged = pipeline.measure(one_colour((10, 20, 255)))  # 100.82
    assert flagged.flags == (Flag.OUT_OF_RANGE,)
    assert flagged.value == pytest.approx(value_of((10, 20, 255)), abs=1e-4)
    refused = pipeline.measure(one_colour((250, 250, 255)))  # 110.8
    assert (refused.refused, refused.reason, refused.value) == (True, Reason.OUT_OF_RANGE, None)
    assert refused.frame_sha256


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_engine_that_gives_no_number(bundle: Path, value: float) -> None:
    class Broken:
        info = EngineInfo("onnx", "cpu", 1, "broken", "0")
        shape = GraphShape(4, 1, None)

        def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
            numbers = np.array([value], np.float32)
            return Prediction(numbers, np.ones(1, np.float32), np.zeros((1, 2), np.float32))

        def close(self) -> None:
            pass

    opened = open_bundle(bundle)
    pipeline = Pipeline(opened, opened.manifest.artifacts[0], Broken(), MeasureSettings("bench-1"))
    reading = pipeline.measure(one_colour((1, 2, 3)))
    assert (reading.refused, reading.reason, reading.value) == (True, Reason.NOT_FINITE, None)
    json.loads(reading.to_json())


def test_stale_frame(bundle: Path) -> None:
    pipeline = open_pipeline(bundle, max_age_s=0.5)
    assert not pipeline.measure(frame_of(noise(), age_s=0.1)).refused
    reading = pipeline.measure(frame_of(noise(), age_s=0.75))
    assert (reading.refused, reading.reason) == (True, Reason.STALE_FRAME)
    assert "expected a frame not older than 0.5 s; got 0.75" in reading.detail
    assert reading.capture_age_ms >= 750.0


def test_region_outside_the_frame(bundle: Path) -> None:
    pipeline = open_pipeline(bundle, regions={"sample": Box(x=40, y=0, w=32, h=32)})
    reading = pipeline.measure(frame_of(noise()))
    assert (reading.reason, reading.value) == (Reason.BAD_FRAME, None)
    assert "expected within 64x48" in reading.detail


def test_bad_frame_becomes_a_refused_reading(bundle: Path) -> None:
    error = ImageError("not a readable picture", where="x.png")
    bad = BadFrame(error, datetime.now(UTC), time.monotonic(), "x.png", 3)
    reading = open_pipeline(bundle).refuse([bad])
    assert (reading.refused, reading.reason, reading.source) == (True, Reason.BAD_FRAME, "x.png")
    assert "not a readable picture" in reading.detail
    assert reading.bundle == open_bundle(bundle).id


class TestViews:
    """A bundle of two views."""

    regions = {"reference": Box(x=0, y=0, w=16, h=16), "sample": Box(x=20, y=10, w=32, h=32)}  # noqa: RUF012

    def expected(self, path: Path, pixels: list[UInt8Array], boxes: Sequence[Box | None]) -> float:
        spec = open_bundle(path).manifest.preprocessing
        views = [preprocess(image, spec, box) for image, box in zip(pixels, boxes, strict=True)]
        return float(expected_value(np.stack(views)[np.newaxis])[0])

    def test_regions_of_one_frame(self, two_view_bundle: Path) -> None:
        pixels = noise()
        reading = open_pipeline(two_view_bundle, regions=self.regions).measure(frame_of(pixels))
        boxes = [self.regions["reference"], self.regions["sample"]]
        assert reading.value == pytest.approx(self.expected(two_view_bundle, [pixels] * 2, boxes), abs=1e-4)
        assert reading.frames == 1

    def test_one_frame_per_view(self, two_view_bundle: Path) -> None:
        shots = [noise(seed=1), noise(30, 30, seed=2)]
        frames = [frame_of(shots[0], name="r", age_s=1.0), frame_of(shots[1], name="s")]
        reading = open_pipeline(two_view_bundle).measure(frames)
        assert reading.value == pytest.approx(self.expected(two_view_bundle, shots, [None, None]), abs=1e-4)
        assert (reading.frames, reading.source) == (2, "reference=r, sample=s")
        assert reading.capture_age_ms >= 1000.0

    def test_oldest_frame_counts(self, two_view_bundle: Path) -> None:
        frames = [frame_of(noise(), age_s=1.0), frame_of(noise())]
        assert open_pipeline(two_view_bundle, max_age_s=0.5).measure(frames).reason is Reason.STALE_FRAME

    def test_missing_region_is_named(self, two_view_bundle: Path) -> None:
        pipeline = open_pipeline(two_view_bundle, regions={"sample": self.regions["sample"]})
        with pytest.raises(ProfileError, match="no region for view reference") as caught:
            pipeline.measure(frame_of(noise()))
        assert caught.value.exit_code == 3

    def test_wrong_number_of_frames(self, two_view_bundle: Path) -> None:
        with pytest.raises(ValueError, match="3 frames for 2 views"):
            open_pipeline(two_view_bundle).measure([frame_of(noise())] * 3)


def test_model_file_that_does_not_fit_its_manifest(tmp_path: Path) -> None:
    path = write_bundle(tmp_path / "b.analyte", [File("onnx", "onnx", onnx_model(1, size=32))])
    with pytest.raises(IntegrityError, match=r"expected 1 views of 16 pixels, .* got 1 views of 32 pixels"):
        open_pipeline(path)


def test_network_and_calibration_curve_that_disagree(bundle: Path, tmp_path: Path) -> None:
    """A network saturates outside its range; the curve goes on. The one-view test curve says 0 always."""
    bundle = Path(shutil.copytree(bundle, tmp_path / "limited.analyte"))
    edit_manifest(bundle, disagreement_limit=40.0)
    pipeline = open_pipeline(bundle)
    good, odd = (0, 0, 100), (0, 0, 250)
    assert value_of(good) < 40.0 < value_of(odd) < 100.0
    assert not pipeline.measure(one_colour(good)).refused
    refused = pipeline.measure(one_colour(odd))
    assert (refused.refused, refused.reason, refused.value) == (True, Reason.IMPLAUSIBLE, None)
    assert "agree within 40 mg/L" in refused.detail


def test_grey_picture_where_training_saw_colour(bundle: Path, tmp_path: Path) -> None:
    grey, coloured = one_colour((90, 90, 90)), one_colour((90, 90, 91))
    assert not open_pipeline(bundle).measure(grey).refused
    bundle = Path(shutil.copytree(bundle, tmp_path / "colour.analyte"))
    edit_manifest(bundle, colour=True)
    pipeline = open_pipeline(bundle)
    refused = pipeline.measure(grey)
    assert (refused.reason, refused.value) == (Reason.BAD_FRAME, None)
    assert "expected a colour picture" in refused.detail
    assert not pipeline.measure(coloured).refused


def only_red(limit: float) -> dict[str, object]:
    """A score of the test network's features, which are the mean colours: the distance from pure red."""
    return ForeignCalibration(
        mean=(0.5, 0.0, 0.0), directions=(), variances=(), rest=0.01, limit=limit, refused=0.02, groups=4
    ).model_dump(mode="json")


def test_picture_that_does_not_look_like_the_training_pictures(bundle: Path, tmp_path: Path) -> None:
    red, green = one_colour((0, 0, 128)), one_colour((0, 128, 128))
    bundle = Path(shutil.copytree(bundle, tmp_path / "red.analyte"))
    edit_manifest(bundle, foreign=only_red(4.0))
    pipeline = open_pipeline(bundle)
    assert not pipeline.measure(red).refused
    refused = pipeline.measure(green)  # 0.5 of 0.1 standard deviations: 5
    assert (refused.refused, refused.reason, refused.value) == (True, Reason.FOREIGN, None)
    assert "within 4 standard deviations of theirs; got 5.02" in refused.detail
    assert refused.frame_sha256
    assert json.loads(refused.to_json())["reason"] == "foreign"
    edit_manifest(bundle, foreign=only_red(6.0))
    assert not open_pipeline(bundle).measure(green).refused


def test_score_for_other_features_than_the_graph_gives(two_view_bundle: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(two_view_bundle, tmp_path / "other.analyte"))
    edit_manifest(bundle, foreign=only_red(4.0))
    with pytest.raises(IntegrityError, match=r"expected \[N, 3\]; got \[1, 6\]"):
        open_pipeline(bundle).measure([one_colour((0, 0, 128))] * 2)


def test_a_recalibration_corrects_what_is_read_and_leaves_its_version(bundle: Path) -> None:
    correction = CorrectionRecord(
        slope=1.5, intercept=-3.0, slope_se=0.0, intercept_se=0.0, centre=0.0, centre_se=0.0
    )
    record = RecalibrationRecord(
        version="7", bundle="", unit="mg/L", method="regression", weighted=False, correction=correction,
        residual_sd=None, largest_residual=0.0, standards=(),
    )  # fmt: skip
    held: list[RecalibrationRecord | None] = [None]
    pipeline = open_pipeline(bundle, recalibration=lambda: held[0])
    frame = one_colour((0, 0, 102))
    plain = pipeline.measure(frame)
    held[0] = record
    corrected = pipeline.measure(frame)
    assert plain.value is not None
    assert (plain.recalibration, corrected.recalibration) == ("", "7")
    assert corrected.value == pytest.approx(1.5 * plain.value - 3.0)
    assert corrected.sigma == pytest.approx(1.5 * SIGMA)
    assert corrected.upper == pytest.approx((corrected.value or 0.0) + 1.5 * HALF_WIDTH)
    assert corrected.frame_sha256 == plain.frame_sha256
