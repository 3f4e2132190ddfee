"""The daemon's loop between frames and recorder, with quality control in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.profile import MeasureSection
from analyte.contract.reading import Reading
from analyte.runtime.loop import Loop
from analyte.runtime.service.supervisor import nobody
from analyte.runtime.sources.protocol import EndOfSource, Frame
from analyte.runtime.stopping import StopRequest
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
        pixels: UInt8Array = np.zeros((4, 4, 3), np.uint8)
        return Frame(pixels, datetime(2026, 1, 1, tzinfo=UTC), time.monotonic(), "f", self.left)

    def close(self) -> None:
        pass


class Readings:
    """A pipeline that gives readings by heart."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.coming = iter(readings)

    def measure_all(self, frame: Frame) -> list[Reading]:
        return [next(self.coming)]


class Recorded:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.calls = 0

    def check(self) -> None:
        pass

    def record(self, readings: Sequence[Reading], pixels: UInt8Array | None) -> None:
        self.readings += readings
        self.calls += 1


def run(readings: Sequence[Reading], admit: Any, *, frames: int = 1) -> Recorded:
    recorded = Recorded()
    loop = Loop(
        Frames(len(readings)),
        cast(Any, Readings(readings)),
        cast(Any, recorded),
        StopRequest(),
        MeasureSection(frames=frames),
        admit,
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


def test_what_quality_control_gives_back_is_recorded() -> None:
    def admit(readings: Sequence[Reading]) -> list[Reading]:
        return [replace(one, detail="seen") for one in readings]

    assert [one.detail for one in run([reading(1), reading(2)], admit).readings] == ["seen", "seen"]


def test_the_reading_of_a_control_is_not_recorded_as_a_specimen() -> None:
    recorded = run([reading(1), reading(2)], lambda readings: [one for one in readings if one.id == "id-2"])
    assert [one.id for one in recorded.readings] == ["id-2"]
    assert recorded.calls == 1
