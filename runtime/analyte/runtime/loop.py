"""The measuring loop: frames in, readings out, until something ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from analyte.contract.arrays import UInt8Array
from analyte.contract.profile import MeasureSection
from analyte.contract.reading import Reading, Reason
from analyte.runtime.combining import combine, shown_frame
from analyte.runtime.recorder import Recorder
from analyte.runtime.service.supervisor import Supervisor
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame, FrameSource
from analyte.runtime.stopping import StopRequest

_READ_TIMEOUT_S = 0.2
"""How long to wait for a frame before looking whether a signal came."""
_PAUSE_S = 0.5
"""How long the measuring may pause without a sign of life."""


class Measurer(Protocol):
    """Makes readings of frames: a pipeline, or what chooses between several."""

    def measure_all(self, frame: Frame, /) -> list[Reading]:
        """Return one reading per site. Raises: what `Engine.run` raises."""
        ...

    def refuse_all(self, frames: Sequence[Frame | BadFrame], /) -> list[Reading]:
        """Return the refused readings of frames that cannot be measured, one per site."""
        ...


@dataclass(frozen=True, slots=True)
class Loop:
    """Frames, readings, recorder; again. A reading is on disk before anybody is told of it."""

    source: FrameSource
    measurer: Measurer
    recorder: Recorder
    stop: StopRequest
    measure: MeasureSection
    admit: Callable[[Sequence[Reading], float], list[Reading]]
    """Given readings and when their first frame was taken, `time.monotonic`'s clock, seconds: withholds the
    values while quality control says so."""
    asked: Callable[[], float]
    """Since when the reading of a control or a standard is waited for, same clock; -inf where none is."""
    supervisor: Supervisor
    pause: Callable[[float], bool] | None = None
    """Given the seconds until the next reading, waits a moment and says whether to go on waiting: a person
    may want it sooner or not at all. None waits by the clock."""

    def run(self, interval_s: float, max_readings: int | None) -> str:
        """Measure until something ends it, at most one reading per ``interval_s`` seconds; return what did.

        Raises: CameraError, OutputError, IntegrityError, UnavailableError, SinkClosed.
        """
        made = 0
        while max_readings is None or made < max_readings:
            burst = _Burst()
            self.recorder.check()
            end = self._fill(burst)
            if burst.measured:
                readings = self.admit(self._combined(burst), burst.start_s)
                # Empty where it was the reading of a control.
                for group, pixels in burst.by_frame(readings):
                    self.recorder.record(group, pixels)
                made += len(readings)
            if end is not None:
                return end
            self._pause(burst.start_s + interval_s)
        return f"{max_readings} readings were asked for"

    def _pause(self, until_s: float) -> None:
        """Wait until a time on `time.monotonic`'s clock, seconds, or until a stop was asked for."""
        if self.pause is not None:
            while not self.stop and self.pause(until_s - time.monotonic()):
                self.supervisor.alive()
            return
        while not self.stop and (left_s := until_s - time.monotonic()) > 0:
            self.supervisor.alive()
            self.stop.wait(min(left_s, _PAUSE_S))

    def _fill(self, burst: _Burst) -> str | None:
        """Measure the frames of one reading; return what ended the measuring, or None."""
        while len(burst.measured) < self.measure.frames:
            if self.stop:
                # A reading of fewer frames than the profile demands is none.
                burst.measured.clear()
                return str(self.stop.signal_name)
            if burst.measured and burst.start_s < self.asked():
                # Frames of a specimen make no reading with those of the control after it.
                return None
            try:
                frame = self.source.read(_READ_TIMEOUT_S)
            except EndOfSource as end:
                return str(end)
            self.supervisor.alive()
            if frame is not None and self.source.live and frame.monotonic_s < self.asked():
                # The camera took it before the control was put in.
                continue
            if frame is not None:
                burst.add(frame, self._measured(frame))
            if isinstance(frame, BadFrame) and frame.outage:
                # Frames before it make no reading with those after.
                return None
            if isinstance(frame, Frame):
                self.supervisor.ready()
        return None

    def _measured(self, frame: Frame | BadFrame) -> list[Reading]:
        if isinstance(frame, BadFrame):
            return self.measurer.refuse_all([frame])
        return self.measurer.measure_all(frame)

    def _combined(self, burst: _Burst) -> list[Reading]:
        """Return one reading per site."""
        if self.measure.frames == 1:
            burst.shown = {reading.site: burst.frames[0] for reading in burst.measured[0]}
            return burst.measured[0]
        combined: list[Reading] = []
        for of_site in zip(*burst.measured, strict=True):
            reading = combine(of_site, wanted=self.measure.frames, max_spread=self.measure.max_spread)
            combined.append(reading)
            if reading.refused:
                burst.shown[reading.site] = burst.frames[shown_frame(of_site)]
        return combined


@dataclass(slots=True)
class _Burst:
    """The frames of one reading."""

    measured: list[list[Reading]] = field(default_factory=list)
    """By frame, then by site."""
    start_s: float = 0.0
    """When the first frame was taken, on `time.monotonic`'s clock, seconds."""
    frames: list[UInt8Array | None] = field(default_factory=list)
    """By frame, as long as a refusal may show it: the first, and the first of each site's reasons."""
    shown: dict[str, UInt8Array | None] = field(default_factory=dict)
    """The frame that a refusal shows, by site. Of several frames none where they gave a value: that it is
    withheld later for a control is no picture's fault."""
    _reasons: set[tuple[str, Reason | None]] = field(default_factory=set)

    def add(self, frame: Frame | BadFrame, readings: list[Reading]) -> None:
        if self.measured and _origin(self.measured[0]) != _origin(readings):
            # Another bundle or recalibration since: frames before make no reading with those after.
            self.measured.clear()
            self.frames.clear()
            self._reasons.clear()
        if not self.measured:
            self.start_s = frame.monotonic_s
        reasons = {(reading.site, reading.reason) for reading in readings if reading.refused}
        pixels = frame.pixels if isinstance(frame, Frame) else None
        self.frames.append(pixels if not self.measured or reasons - self._reasons else None)
        self._reasons |= reasons
        self.measured.append(readings)

    def by_frame(self, readings: Sequence[Reading]) -> Iterator[tuple[list[Reading], UInt8Array | None]]:
        """Give readings in their order, those together whose refusals show one frame, with that frame."""
        group: list[Reading] = []
        held: UInt8Array | None = None
        settled = False
        for reading in readings:
            shown = self.shown.get(reading.site)
            if reading.refused and settled and shown is not held:
                yield group, held
                group, settled = [], False
            if reading.refused and not settled:
                held, settled = shown, True
            group.append(reading)
        if group:
            yield group, held


def _origin(readings: Sequence[Reading]) -> tuple[str, str]:
    return readings[0].bundle, readings[0].recalibration
