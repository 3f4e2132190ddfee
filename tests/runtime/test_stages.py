"""What the pipeline makes of its stages: several sites, quality, colour, and each one's refusal."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.bundle import open_bundle
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Flag, Reading, Reason
from analyte.runtime.colour.protocol import ColourRecord
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.measuring import MeasureSettings
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.quality.protocol import Verdict
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.protocol import Located, Site
from analyte.runtime.sources.protocol import BadFrame, Frame
from runtime.tiny_bundles import HALF_WIDTH, value_of

LEFT, RIGHT = Box(x=0, y=0, w=32, h=32), Box(x=32, y=0, w=32, h=32)
COLOURS = ((10, 20, 100), (10, 20, 50))


def frame_of(pixels: UInt8Array) -> Frame:
    return Frame(pixels, datetime.now(UTC), time.monotonic(), "test", 0)


def two_halves() -> UInt8Array:
    pixels = np.empty((32, 64, 3), np.uint8)
    pixels[:, :32], pixels[:, 32:] = COLOURS
    return pixels


class TwoWells:
    names = ("A1", "A2")

    def locate(self, pixels: UInt8Array) -> Located:
        return Located(pixels, (Site("A1", {"sample": LEFT}, 0.5), Site("A2", {"sample": RIGHT})))


class Lost:
    names = ("A1", "A2")

    def locate(self, pixels: UInt8Array) -> Located:
        raise Refusal(Reason.REGION_NOT_FOUND, "expected four markers; got three")


class Quality:
    """Says the verdicts that it was given, and remembers what it saw."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.seen: list[tuple[tuple[int, ...], list[float], tuple[str, ...]]] = []

    def examine(
        self, frame: UInt8Array, sites: Sequence[Site], pictures: UInt8Array, views: Sequence[str]
    ) -> list[Verdict]:
        self.seen.append((pictures.shape, [site.coverage for site in sites], tuple(views)))
        return self.verdicts


class Dimmer:
    """Halves what it is given."""

    def __init__(self) -> None:
        self.boxes: list[Sequence[Box | None]] = []

    def correct(self, frame: UInt8Array, boxes: Sequence[Box | None], pictures: UInt8Array) -> ColourRecord:
        self.boxes.append(boxes)
        pictures //= 2
        return ColourRecord("white", 1.5, 2.0, (0.5, 0.5, 0.5))


class Expired:
    def correct(self, frame: UInt8Array, boxes: Sequence[Box | None], pictures: UInt8Array) -> ColourRecord:
        raise Refusal(Reason.COLOUR, "expected a calibration of at most 30 days; got 31")


def open_pipeline(path: Path, **settings: object) -> Pipeline:
    opened = open_bundle(path)
    artifact = opened.manifest.artifacts[0]
    engine = open_engine(opened.read(artifact), artifact.engine)
    return Pipeline(opened, artifact, engine, MeasureSettings("bench-1", **settings))  # type: ignore[arg-type]


def reasons(readings: Sequence[Reading]) -> list[Reason | None]:
    return [reading.reason for reading in readings]


class TestSites:
    def test_one_reading_each(self, bundle: Path) -> None:
        readings = open_pipeline(bundle, regions=TwoWells()).measure_all(frame_of(two_halves()))
        assert [reading.site for reading in readings] == ["A1", "A2"]
        for reading, colour, box in zip(readings, COLOURS, (LEFT, RIGHT), strict=True):
            assert reading.value == pytest.approx(value_of(colour), abs=1e-4)
            assert reading.regions == {"sample": (box.x, box.y, box.w, box.h)}
        assert len({reading.id for reading in readings}) == 2
        assert len({reading.frame_sha256 for reading in readings}) == 2

    def test_nothing_found_refuses_each(self, bundle: Path) -> None:
        readings = open_pipeline(bundle, regions=Lost()).measure_all(frame_of(two_halves()))
        assert [reading.site for reading in readings] == ["A1", "A2"]
        assert reasons(readings) == [Reason.REGION_NOT_FOUND] * 2
        assert {(reading.value, reading.detail, len(reading.regions)) for reading in readings} == {
            (None, "expected four markers; got three", 0)
        }

    def test_bad_frame_refuses_each(self, bundle: Path) -> None:
        from analyte.contract.errors import ImageError

        bad = BadFrame(ImageError("torn"), datetime.now(UTC), time.monotonic(), "x", 0)
        readings = open_pipeline(bundle, regions=TwoWells()).refuse_all([bad])
        assert [(reading.site, reading.reason) for reading in readings] == [
            ("A1", Reason.BAD_FRAME), ("A2", Reason.BAD_FRAME),
        ]  # fmt: skip

    def test_one_reading_where_there_are_two_is_an_error(self, bundle: Path) -> None:
        with pytest.raises(ValueError, match="unpack"):
            open_pipeline(bundle, regions=TwoWells()).measure(frame_of(two_halves()))


class OneBuffer:
    """Copies every frame into the same picture, as one that rectifies does."""

    names = ("",)

    def __init__(self) -> None:
        self.picture = np.empty((32, 64, 3), np.uint8)

    def locate(self, pixels: UInt8Array) -> Located:
        self.picture[:] = pixels
        return Located(self.picture, (Site("", {}),))


def test_frames_of_one_view_each_that_a_finder_puts_into_one_buffer(two_view_bundle: Path) -> None:
    frames = [frame_of(np.full((32, 64, 3), colour, np.uint8)) for colour in COLOURS]
    plain = open_pipeline(two_view_bundle).measure(frames)
    found = open_pipeline(two_view_bundle, regions=OneBuffer()).measure(frames)
    assert (found.value, found.frame_sha256) == (plain.value, plain.frame_sha256)


class TestQuality:
    def test_figures_and_flags_of_each_site(self, bundle: Path) -> None:
        quality = Quality(
            Verdict({"focus": 0.25, "glare": float("nan")}, (Flag.FOCUS,), None, "expected 0.3; got 0.25"),
            Verdict({"focus": 0.5}, (), Reason.GLARE, "expected no glare"),
        )
        pipeline = open_pipeline(bundle, regions=TwoWells(), quality=quality)
        first, second = pipeline.measure_all(frame_of(two_halves()))
        assert quality.seen == [((2, 1, 16, 16, 3), [0.5, 1.0], ("sample",))]
        assert (first.flags, first.refused, first.detail) == ((Flag.FOCUS,), False, "expected 0.3; got 0.25")
        assert first.value == pytest.approx(value_of(COLOURS[0]), abs=1e-4)
        assert first.quality == {"focus": 0.25}
        assert (second.reason, second.value, second.detail) == (Reason.GLARE, None, "expected no glare")
        assert "quality" in first.latency_ms

    def test_refusal_of_quality_goes_before_that_of_the_value(self, bundle: Path) -> None:
        white = np.full((32, 64, 3), 245, np.uint8)
        assert open_pipeline(bundle).measure(frame_of(white)).reason is Reason.OUT_OF_RANGE
        refused = open_pipeline(bundle, quality=Quality(Verdict({}, (), Reason.CLIPPED, "all white")))
        reading = refused.measure(frame_of(white))
        assert (reading.reason, reading.detail) == (Reason.CLIPPED, "all white")

    def test_network_is_not_run_where_everything_is_refused(self, bundle: Path) -> None:
        quality = Quality(Verdict({}, (), Reason.FOCUS, "x"), Verdict({}, (), Reason.FOCUS, "x"))
        readings = open_pipeline(bundle, regions=TwoWells(), quality=quality).measure_all(
            frame_of(two_halves())
        )
        assert reasons(readings) == [Reason.FOCUS] * 2
        assert "engine" not in readings[0].latency_ms

    def test_frames_of_one_view_each_are_examined_one_by_one(self, two_view_bundle: Path) -> None:
        quality = Quality(Verdict({"focus": 1.0}))
        open_pipeline(two_view_bundle, quality=quality).measure([frame_of(two_halves())] * 2)
        one = (1, 1, 16, 16, 3)
        assert quality.seen == [(one, [1.0], ("reference",)), (one, [1.0], ("sample",))]


class TestEmpty:
    @pytest.mark.parametrize(("level", "reason"), [(1, Reason.EXPOSURE), (254, Reason.CLIPPED)])
    def test_picture_of_nothing_is_refused_without_being_asked(
        self, bundle: Path, level: int, reason: Reason
    ) -> None:
        pixels = two_halves()
        pixels[:, :32] = level
        first, second = open_pipeline(bundle, regions=TwoWells()).measure_all(frame_of(pixels))
        assert (first.reason, first.value) == (reason, None)
        assert "expected a picture" in first.detail
        assert second.value == pytest.approx(value_of(COLOURS[1]), abs=1e-4)


class TestColour:
    def test_what_the_network_sees_is_corrected(self, bundle: Path) -> None:
        dimmer = Dimmer()
        readings = open_pipeline(bundle, regions=TwoWells(), colour=dimmer).measure_all(
            frame_of(two_halves())
        )
        assert dimmer.boxes == [[LEFT, RIGHT]]
        for reading, (b, g, r) in zip(readings, COLOURS, strict=True):
            assert reading.value == pytest.approx(value_of((b // 2, g // 2, r // 2)), abs=1e-4)
            assert reading.colour == {
                "method": "white", "residual_delta_e": 1.5, "age_days": 2.0, "gains": [0.5, 0.5, 0.5],
            }  # fmt: skip
        seen = np.empty((16, 16, 3), np.uint8)
        seen[:] = [value // 2 for value in COLOURS[0][::-1]]
        assert readings[0].frame_sha256 == hashlib.sha256(seen[np.newaxis].tobytes()).hexdigest()

    def test_frames_of_one_view_each(self, two_view_bundle: Path) -> None:
        dimmer = Dimmer()
        pipeline = open_pipeline(two_view_bundle, colour=dimmer)
        plain = open_pipeline(two_view_bundle).measure([frame_of(two_halves())] * 2)
        dimmed = pipeline.measure([frame_of(two_halves())] * 2)
        assert dimmer.boxes == [[None], [None]]
        assert plain.value is not None
        assert dimmed.value == pytest.approx(plain.value / 2, abs=0.5)

    def test_gains_of_every_frame_are_recorded(self, two_view_bundle: Path) -> None:
        class ByLevel(Dimmer):
            def correct(
                self, frame: UInt8Array, boxes: Sequence[Box | None], pictures: UInt8Array
            ) -> ColourRecord:
                return ColourRecord("white", gains=(float(frame[0, 0, 0]), 1.0, 1.0))

        frames = [frame_of(np.full((32, 64, 3), (blue, 20, 50), np.uint8)) for blue in (40, 30)]
        reading = open_pipeline(two_view_bundle, colour=ByLevel()).measure(frames)
        assert reading.colour["gains"] == [40.0, 1.0, 1.0, 30.0, 1.0, 1.0]
        assert reading.colour["method"] == "white"

    def test_sites_of_frames_of_one_view_each(self, two_view_bundle: Path) -> None:
        """Every site is measured in either frame, and its colours are corrected in both."""

        class Wells(TwoWells):
            def locate(self, pixels: UInt8Array) -> Located:
                boxes = ({"reference": LEFT, "sample": LEFT}, {"reference": RIGHT, "sample": RIGHT})
                return Located(pixels, (Site("A1", boxes[0], 0.5), Site("A2", boxes[1])))

        frames = [frame_of(two_halves()), frame_of(two_halves()[:, ::-1].copy())]
        readings = open_pipeline(two_view_bundle, regions=Wells(), colour=Dimmer()).measure_all(frames)
        assert [reading.site for reading in readings] == ["A1", "A2"]
        for reading, box, (one, other) in zip(readings, (LEFT, RIGHT), (COLOURS, COLOURS[::-1]), strict=True):
            halves = [tuple(level // 2 for level in colour) for colour in (one, other)]
            expected = value_of(halves[0]) + 1e-3 * value_of(halves[1])  # type: ignore[arg-type]
            assert reading.value == pytest.approx(expected, abs=1e-4)
            where = (box.x, box.y, box.w, box.h)
            assert reading.regions == {"reference": where, "sample": where}

    def test_refusal(self, bundle: Path) -> None:
        reading = open_pipeline(bundle, colour=Expired()).measure(frame_of(two_halves()))
        assert (reading.reason, reading.value) == (Reason.COLOUR, None)
        assert "got 31" in reading.detail


class TestDetectionLimits:
    def measured(self, bundle: Path, red: int, **limits: float) -> Reading:
        pixels = np.zeros((20, 20, 3), np.uint8)
        pixels[..., 2] = red
        return open_pipeline(bundle, **limits).measure(frame_of(pixels))

    def test_below_detection_no_value_is_given(self, bundle: Path) -> None:
        reading = self.measured(bundle, 5, lod=4.0)  # 1.96
        assert (reading.value, reading.lower, reading.sigma) == (None, None, None)
        assert (reading.refused, reading.reason, reading.flags) == (False, None, (Flag.BELOW_LOD,))
        assert reading.upper == 4.0
        assert "less than the limit of detection, 4 mg/L" in reading.detail

    def test_upper_is_never_below_the_interval(self, bundle: Path) -> None:
        reading = self.measured(bundle, 5, lod=2.0)
        assert reading.upper == pytest.approx(100 * 5 / 255 + HALF_WIDTH, abs=1e-4)

    def test_at_the_limit_the_value_is_given(self, bundle: Path) -> None:
        assert self.measured(bundle, 51, lod=19.99).value == pytest.approx(20.0, abs=1e-4)

    def test_below_quantitation_is_flagged(self, bundle: Path) -> None:
        reading = self.measured(bundle, 5, lod=1.0, loq=4.0)
        assert reading.value == pytest.approx(100 * 5 / 255, abs=1e-4)
        assert reading.flags == (Flag.BELOW_LOQ,)
        assert "limit of quantitation, 4 mg/L" in reading.detail

    def test_without_limits_every_value_is_given(self, bundle: Path) -> None:
        assert self.measured(bundle, 5).flags == ()
