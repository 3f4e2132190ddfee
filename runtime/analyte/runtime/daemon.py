"""The daemon: opens everything strictly, then measures until it is told to stop or the source ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from analyte.contract.arrays import UInt8Array
from analyte.contract.bundle import Bundle
from analyte.contract.errors import AnalyteError, ProfileError
from analyte.contract.manifest import Artifact
from analyte.contract.profile import DeviceProfile, MeasureSection, load_profile
from analyte.contract.reading import Reading
from analyte.contract.sections.camera import ControlsSection
from analyte.runtime.combining import combine
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.covariates import complete_covariates
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_from_profile
from analyte.runtime.measuring import MeasureSettings, settings_from_profile
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.recorder import Recorder, Tally
from analyte.runtime.refused_frames import RefusedFrames
from analyte.runtime.regions.registry import finder_of
from analyte.runtime.selection import preferred_artifact
from analyte.runtime.selftest import quick_check
from analyte.runtime.session import recorded_session
from analyte.runtime.sinks import Sink, SinkClosed
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame, FrameSource
from analyte.runtime.sources.registry import open_source
from analyte.runtime.stopping import StopRequest
from analyte.runtime.trust import open_for_use

_READ_TIMEOUT_S = 0.2
"""How long to wait for a frame before looking whether a signal came."""


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What the command line says; None leaves it to the profile."""

    device: Path
    bundle: Path
    source: str | None = None
    store: Path | None = None
    max_readings: int | None = None
    """Stop after so many readings, refused ones included."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is checked before a frame is looked at."""

    profile: DeviceProfile
    bundle: Bundle
    artifact: Artifact
    engine: Engine
    source: str
    settings: MeasureSettings
    """For a live source."""


def run_daemon(
    options: DaemonOptions, sink: Sink, stop: StopRequest, report: Callable[[str], None], tally: Tally
) -> str:
    """Measure until the source ends, ``stop`` is asked for, the sink closes or enough readings are made.

    ``report`` is told of fallbacks, in one line each. ``tally`` counts, also where this raises.
    Returns: the reason for which it stopped. Raises: AnalyteError of every kind.
    """
    with ExitStack() as stack:
        ready = prepare(options, report)
        stack.callback(ready.engine.close)
        # The store before the source: a camera must not stream while a large store is checked.
        storage = ready.profile.storage
        session = stack.enter_context(
            recorded_session(
                ready.profile,
                options.device,
                options.store or storage.path,
                {"bundle": ready.bundle.id, "artifact": ready.artifact.name},
                report,
            )
        )
        frames = (
            None
            if storage.refused_frames is None
            else RefusedFrames(storage.refused_frames, round(1e6 * storage.refused_frames_mb))
        )
        interval_s = ready.profile.measure.interval_s
        source = open_source(ready.source, ready.profile.camera, interval_s=interval_s)
        stack.callback(source.close)
        if not source.live and ready.profile.camera.controls != ControlsSection():
            report("camera.controls: not for pictures in files, which are taken as they are")
        measure = ready.profile.measure
        if measure.frames > 1 and interval_s > 0 and not source.live:
            raise ProfileError(
                "measure.interval_s: a video would be stepped between the frames of one reading",
                where=options.device,
                expected="0 where measure.frames is more than 1",
                got=f"{interval_s:g} s and {measure.frames} frames",
            )
        control = QualityControl(session.store, ready.profile.control, ready.bundle.id)
        _report_control(control, report)
        # Files do not age.
        settings = replace(
            ready.settings,
            max_age_s=ready.settings.max_age_s if source.live else None,
            recalibration=control.recalibration,
        )
        pipeline = Pipeline(ready.bundle, ready.artifact, ready.engine, settings)
        recorder = Recorder(session.store, sink, tally, frames=frames, report=report)
        stack.callback(recorder.close)
        loop = Loop(source, pipeline, recorder, stop, measure, control.admitted)
        try:
            reason = loop.run(interval_s if source.live else 0.0, options.max_readings)
            recorder.wait()
        except SinkClosed as closed:
            reason = str(closed)
        session.reason = reason
        return reason


def _report_control(control: QualityControl, report: Callable[[str], None]) -> None:
    """Say at the start what would else be found out from refused or uncorrected readings."""
    status = control.status()
    if status.remark:
        report(status.remark)
    if not status.admitted:
        report(f"readings are refused ({status.reason}): {status.detail}")


def prepare(options: DaemonOptions, report: Callable[[str], None]) -> Prepared:
    """Open profile, bundle (its signature first, where the profile demands one) and engine, and prove the
    engine on golden images.

    Raises: ProfileError, InputError, IntegrityError, UnavailableError, ParityError.
    """
    profile = load_profile(options.device)
    source = options.source or profile.camera.source
    if source is None:
        raise ProfileError(
            "camera.source: is not set", where=options.device, fix="Set it there or pass --source"
        )
    bundle = open_for_use(options.bundle, profile, where=options.device)
    manifest = bundle.manifest
    finder = finder_of(profile.region, manifest.views, where=options.device)
    covariates = complete_covariates(profile, manifest.covariates, where=options.device)
    settings = settings_from_profile(profile, manifest, finder, covariates, live=True, where=options.device)
    artifact = preferred_artifact(bundle, profile.engine, where=options.device)
    model = bundle.read(artifact)
    engine = open_from_profile(model, profile.engine, report, where=bundle.path / artifact.file)
    try:
        quick_check(bundle, artifact, engine)
    except AnalyteError:
        engine.close()
        raise
    return Prepared(profile, bundle, artifact, engine, source, settings)


@dataclass(frozen=True, slots=True)
class Loop:
    """Frames, readings, recorder; again. A reading is on disk before anybody is told of it."""

    source: FrameSource
    pipeline: Pipeline
    recorder: Recorder
    stop: StopRequest
    measure: MeasureSection
    admit: Callable[[Sequence[Reading]], list[Reading]]
    """Withholds the values while quality control says so."""

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
                readings = self.admit(self._combined(burst))
                # Empty where it was the reading of a control.
                if readings:
                    self.recorder.record(readings, burst.pixels)
                made += len(readings)
            if end is not None:
                return end
            self.stop.wait(burst.start_s + interval_s - time.monotonic())
        return f"{max_readings} readings were asked for"

    def _fill(self, burst: _Burst) -> str | None:
        """Measure the frames of one reading; return what ended the measuring, or None."""
        while len(burst.measured) < self.measure.frames:
            if self.stop:
                # A reading of fewer frames than the profile demands is none.
                burst.measured.clear()
                return str(self.stop.signal_name)
            try:
                frame = self.source.read(_READ_TIMEOUT_S)
            except EndOfSource as end:
                return str(end)
            if frame is not None:
                burst.add(frame, self._measured(frame))
        return None

    def _measured(self, frame: Frame | BadFrame) -> list[Reading]:
        if isinstance(frame, BadFrame):
            return self.pipeline.refuse_all([frame])
        return self.pipeline.measure_all(frame)

    def _combined(self, burst: _Burst) -> list[Reading]:
        """Return one reading per site."""
        if self.measure.frames == 1:
            return burst.measured[0]
        return [
            combine(of_site, wanted=self.measure.frames, max_spread=self.measure.max_spread)
            for of_site in zip(*burst.measured, strict=True)
        ]


@dataclass(slots=True)
class _Burst:
    """The frames of one reading."""

    measured: list[list[Reading]] = field(default_factory=list)
    """By frame, then by site."""
    start_s: float = 0.0
    """When the first frame was taken, on `time.monotonic`'s clock, seconds."""
    pixels: UInt8Array | None = None
    """The first frame that gave a refusal, else the last one."""
    _refused: bool = False

    def add(self, frame: Frame | BadFrame, readings: list[Reading]) -> None:
        if self.measured and self.measured[0][0].recalibration != readings[0].recalibration:
            # A person recalibrated between two frames: those before make no reading with those after.
            self.measured.clear()
        if not self.measured:
            self.start_s = frame.monotonic_s
        self.measured.append(readings)
        if isinstance(frame, Frame) and not self._refused:
            self.pixels = frame.pixels
            self._refused = any(reading.refused for reading in readings)
