"""The daemon: opens everything strictly, then measures until it is told to stop or the source ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from analyte.contract.bundle import Bundle
from analyte.contract.covariates import Covariate
from analyte.contract.errors import AnalyteError, ProfileError
from analyte.contract.manifest import Artifact
from analyte.contract.profile import DeviceProfile, load_profile
from analyte.contract.reading import Reading
from analyte.runtime.covariates import complete_covariates
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_from_profile
from analyte.runtime.pipeline import Pipeline, settings_from_profile
from analyte.runtime.regions import check_one_frame
from analyte.runtime.selection import preferred_artifact
from analyte.runtime.selftest import quick_check
from analyte.runtime.sinks import Sink, SinkClosed
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame, FrameSource
from analyte.runtime.sources.registry import open_source
from analyte.runtime.stopping import StopRequest
from analyte.runtime.store import SqliteStore, Store
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


@dataclass(slots=True)
class Tally:
    """How many readings were made."""

    readings: int = 0
    refused: int = 0

    def add(self, reading: Reading) -> None:
        """Count a reading that was stored."""
        self.readings += 1
        self.refused += reading.refused

    def __str__(self) -> str:
        return f"{self.readings} readings, {self.refused} refused"


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is checked before a frame is looked at."""

    profile: DeviceProfile
    bundle: Bundle
    artifact: Artifact
    engine: Engine
    source: str
    covariates: dict[str, Covariate]
    """Those of the profile, all that the bundle needs."""


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
        store = SqliteStore(options.store or ready.profile.storage.path)
        stack.callback(store.close)
        interval_s = ready.profile.measure.interval_s
        source = open_source(ready.source, ready.profile.camera, interval_s=interval_s)
        stack.callback(source.close)
        settings = settings_from_profile(ready.profile, ready.covariates, live=source.live)
        pipeline = Pipeline(ready.bundle, ready.artifact, ready.engine, settings)
        loop = Loop(source, pipeline, store, sink, stop, tally)
        return loop.run(interval_s if source.live else 0.0, options.max_readings)


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
    check_one_frame(profile.measure.regions, bundle.manifest.views, where=options.device)
    covariates = complete_covariates(profile, bundle.manifest.covariates, where=options.device)
    artifact = preferred_artifact(bundle, profile.engine, where=options.device)
    model = bundle.read(artifact)
    engine = open_from_profile(model, profile.engine, report, where=bundle.path / artifact.file)
    try:
        quick_check(bundle, artifact, engine)
    except AnalyteError:
        engine.close()
        raise
    return Prepared(profile, bundle, artifact, engine, source, covariates)


@dataclass(frozen=True, slots=True)
class Loop:
    """Frame, reading, store, sink; again. A reading is on disk before anybody is told of it."""

    source: FrameSource
    pipeline: Pipeline
    store: Store
    sink: Sink
    stop: StopRequest
    tally: Tally

    def run(self, interval_s: float, max_readings: int | None) -> str:
        """Measure until something ends it, at most one reading per ``interval_s`` seconds; return what did.

        Raises: CameraError, OutputError, IntegrityError, UnavailableError.
        """
        while not self.stop:
            try:
                frame = self.source.read(_READ_TIMEOUT_S)
                if frame is None:
                    continue
                self._measure(frame)
            except (EndOfSource, SinkClosed) as end:
                return str(end)
            if max_readings is not None and self.tally.readings >= max_readings:
                return f"{max_readings} readings were asked for"
            self.stop.wait(frame.monotonic_s + interval_s - time.monotonic())
        return str(self.stop.signal_name)

    def _measure(self, frame: Frame | BadFrame) -> None:
        if isinstance(frame, BadFrame):
            reading = self.pipeline.refuse([frame])
        else:
            reading = self.pipeline.measure(frame)
        self.store.append(reading)
        self.tally.add(reading)
        self.sink.publish(reading)
