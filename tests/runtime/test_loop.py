"""The daemon's loop between frames and recorder, with quality control in it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.contract.event import Role
from analyte.contract.profile import MeasureSection
from analyte.contract.reading import Reading, Reason
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.loop import Loop
from analyte.runtime.service.supervisor import nobody
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame
from analyte.runtime.stopping import StopRequest
from runtime.control.memory_trail import Device, read
from runtime.store.readings import reading


class Frames:
    """A source of so many frames."""

    live = False
    name = "frames"

    def __init__(self, count: int) -> None:
        self.left = count

    def read(self, timeout_s: float) -> Frame:
        if self.left == 0:
            raise EndOfSource("end")
        self.left -= 1
        pixels: UInt8Array = np.full((4, 4, 3), self.left, np.uint8)
        return Frame(pixels, datetime(2026, 1, 1, tzinfo=UTC), time.monotonic(), "f", self.left)

    def close(self) -> None:
        pass


class Readings:
    """A pipeline that gives readings by heart, as many of each frame as there are sites."""

    def __init__(self, readings: Sequence[Reading], sites: int) -> None:
        self.coming = iter(readings)
        self.sites = sites

    def measure_all(self, frame: Frame) -> list[Reading]:
        return [next(self.coming) for _ in range(self.sites)]

    def refuse_all(self, frames: Sequence[Frame | BadFrame]) -> list[Reading]:
        return [reading(0, refused=True)] * self.sites


class Recorded:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.calls = 0
        self.kept: dict[str, int | None] = {}
        """Level of the frame that is kept for a refused reading, by site; frames count down to 0."""

    def check(self) -> None:
        pass

    def record(self, readings: Sequence[Reading], pixels: UInt8Array | None) -> None:
        self.readings += readings
        self.calls += 1
        level = None if pixels is None else int(pixels[0, 0, 0])
        self.kept |= {one.site: level for one in readings if one.refused}


def run(
    readings: Sequence[Reading],
    admit: Any,
    *,
    frames: int = 1,
    sites: int = 1,
    max_spread: float | None = None,
    source: Frames | None = None,
    control: QualityControl | None = None,
) -> Recorded:
    recorded = Recorded()
    loop = Loop(
        source or Frames(len(readings) // sites),
        cast(Any, Readings(readings, sites)),
        cast(Any, recorded),
        StopRequest(),
        MeasureSection(frames=frames, max_spread=max_spread),
        (lambda readings, began_s: admit(readings)) if control is None else control.admitted,
        lambda: -math.inf if control is None else control.asked_s,
        nobody(),
    )
    assert loop.run(0.0, None) == "end"
    return recorded


def version(number: int, recalibration: str) -> Reading:
    return replace(reading(number), recalibration=recalibration)


def test_frames_before_a_recalibration_or_a_swap_make_no_reading_with_those_after() -> None:
    recorded = run([version(1, ""), version(8, "1"), version(9, "1"), version(10, "1")], list, frames=3)
    (combined,) = recorded.readings
    assert (combined.value, combined.frames, combined.recalibration) == (9.0, 3, "1")
    other = replace(version(1, ""), bundle="cd" * 32)
    (combined,) = run([other, version(8, ""), version(9, ""), version(10, "")], list, frames=3).readings
    assert combined.value == 9.0


class Interrupted(Frames):
    """A camera that is lost once, before a frame by its number."""

    live = True

    def __init__(self, count: int, lost: int) -> None:
        super().__init__(count)
        self.lost = lost

    def read(self, timeout_s: float) -> Frame | BadFrame:  # type: ignore[override]
        if self.left != self.lost:
            return super().read(timeout_s)
        self.lost = -1
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return BadFrame(ImageError("lost"), at, time.monotonic(), "f", self.left, outage=True)


@pytest.mark.parametrize(
    ("before", "values"), [(0, [None, 52.0]), (1, [None, 52.0]), (2, [10.5, 52.0]), (3, [11.0, None, 52.0])]
)
def test_frames_before_an_outage_make_no_reading_with_those_after(
    before: int, values: list[float | None]
) -> None:
    """Somebody may have put another specimen in meanwhile."""
    numbers = [10 + at for at in range(before)] + [51, 52, 53]
    recorded = run([reading(number) for number in numbers], list, frames=3, source=Interrupted(before + 3, 3))
    assert [one.value for one in recorded.readings] == values


def test_what_quality_control_gives_back_is_recorded() -> None:
    def admit(readings: Sequence[Reading]) -> list[Reading]:
        return [replace(one, detail="seen") for one in readings]

    assert [one.detail for one in run([reading(1), reading(2)], admit).readings] == ["seen", "seen"]


class Asking(Frames):
    """A source during whose frame, by its number from the end, somebody asks for the reading of a control."""

    def __init__(self, count: int, at: int, device: Device, *, live: bool) -> None:
        super().__init__(count)
        self.at, self.device, self.live = at, device, live
        self.answer: Any = None

    def read(self, timeout_s: float) -> Frame:
        frame = super().read(timeout_s)
        if self.left == self.at:
            self.answer = self.device.control.expect("low", "ann", Role.OPERATOR)
        return frame


@pytest.mark.parametrize(
    ("live", "values"),
    # The frame during which somebody asks is not measured from a camera; one of a file is never lost.
    [(True, [80.0, 20.0, 20.5, 21.0]), (False, [80.0, 80.0, 20.0, 20.5, 21.0])],
)
def test_frames_taken_before_somebody_asked_are_none_of_a_control(live: bool, values: list[float]) -> None:
    device = Device()
    source = Asking(5, 3, device, live=live)
    recorded = run(
        [read(value, id=str(value)) for value in values],
        list,
        frames=3,
        source=source,
        control=device.control,
    )
    (specimen,) = recorded.readings
    # What the frames before gave; its value is withheld, for no control has passed.
    assert (specimen.frames, specimen.value) == (len(values) - 3, None)
    assert source.answer.result(0).value == 20.5


def test_one_frame_that_was_taken_before_somebody_asked_is_no_control() -> None:
    device = Device()
    began_s = time.monotonic()
    answer = device.control.expect("low", "ann", Role.OPERATOR)
    assert len(device.control.admitted([read(80.0)], began_s)) == 1
    assert not answer.done()
    assert device.control.admitted([read(20.0)], time.monotonic()) == []
    record = answer.result(0)
    assert record is not None
    assert record.value == 20.0


def test_the_reading_of_a_control_is_not_recorded_as_a_specimen() -> None:
    recorded = run([reading(1), reading(2)], lambda readings: [one for one in readings if one.id == "id-2"])
    assert [one.id for one in recorded.readings] == ["id-2"]
    assert recorded.calls == 1


GOOD, BLURRED, GLARING = None, Reason.FOCUS, Reason.GLARE


def seen(number: int, reason: Reason | None, site: str = "") -> Reading:
    return replace(reading(number, refused=reason is not None), reason=reason, site=site)


@pytest.mark.parametrize(
    ("reasons", "level"),
    [
        ((GLARING, BLURRED, BLURRED, BLURRED), 2),
        ((GOOD, BLURRED, GLARING, BLURRED), 2),
        ((GOOD, GOOD, BLURRED, GLARING), None),
        ((BLURRED,) * 4, 3),
    ],
)
def test_the_frame_that_is_kept_is_the_one_that_the_refusal_shows(
    reasons: tuple[Reason | None, ...], level: int | None
) -> None:
    hashes = [f"hash of {3 - at}" for at in range(4)]
    frames = [
        replace(seen(at, reason), frame_sha256=one)
        for at, (reason, one) in enumerate(zip(reasons, hashes, strict=True))
    ]
    recorded = run(frames, list, frames=4)
    (combined,) = recorded.readings
    assert recorded.kept.get("") == level
    if level is not None:
        assert combined.frame_sha256 == f"hash of {level}"


def test_values_that_scatter_show_the_first_frame() -> None:
    recorded = run([seen(1, GOOD), seen(50, GOOD)], list, frames=2, max_spread=1.0)
    assert recorded.readings[0].reason is Reason.UNSTEADY
    assert recorded.kept == {"": 1}


def test_each_site_has_the_frame_that_its_refusal_shows() -> None:
    frames = [
        (seen(1, GLARING, "A1"), seen(2, GOOD, "A2"), seen(3, GOOD, "A3"), seen(4, GLARING, "A4")),
        (seen(1, GLARING, "A1"), seen(2, GOOD, "A2"), seen(3, BLURRED, "A3"), seen(4, GOOD, "A4")),
        (seen(1, GOOD, "A1"), seen(2, GOOD, "A2"), seen(3, BLURRED, "A3"), seen(4, GLARING, "A4")),
    ]
    recorded = run([one for frame in frames for one in frame], list, frames=3, sites=4)
    assert [one.site for one in recorded.readings] == ["A1", "A2", "A3", "A4"]
    assert recorded.kept == {"A1": 2, "A3": 1, "A4": 2}


def test_a_value_that_is_withheld_for_a_control_has_the_frame_that_it_is_of_or_none() -> None:
    def withhold(readings: Sequence[Reading]) -> list[Reading]:
        return [replace(one, value=None, refused=True, reason=Reason.CONTROL_DUE) for one in readings]

    assert run([seen(1, GOOD)], withhold).kept == {"": 0}
    assert run([seen(1, GOOD), seen(2, GOOD)], withhold, frames=2).kept == {"": None}
