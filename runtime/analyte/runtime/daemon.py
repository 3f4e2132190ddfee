"""The daemon: opens everything strictly, then measures until it is told to stop or the source ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import ProfileError, SettingsError, UnavailableError
from analyte.contract.event import JsonValue
from analyte.contract.profile import DeviceProfile, load_profile
from analyte.contract.sections.camera import ControlsSection
from analyte.runtime.bundles.runner import Opened, Runner, open_to_measure
from analyte.runtime.bundles.shadow import ShadowLimits
from analyte.runtime.bundles.shelf import Shelf
from analyte.runtime.bundles.swap import BundleSwap
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.loop import Loop, Measurer
from analyte.runtime.recorder import Recorder, Tally
from analyte.runtime.refused_frames import RefusedFrames
from analyte.runtime.sending import sending
from analyte.runtime.service.supervisor import Supervisor, nobody
from analyte.runtime.session import Session, recorded_session
from analyte.runtime.sinks import Sink, SinkClosed
from analyte.runtime.sources.protocol import FrameSource
from analyte.runtime.sources.registry import open_source
from analyte.runtime.stopping import StopRequest
from analyte.runtime.trust import open_for_use

_PREPARE_S, _STORE_S, _CAMERA_S = 1800.0, 600.0, 60.0
"""How long bundle and engine (which may compile the model), store and camera may take at the start."""
if TYPE_CHECKING:
    from analyte.runtime.serve.attached import DevicePage


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """What the command line says; None leaves it to the profile."""

    device: Path
    bundle: Path | None
    """None where the profile's bundles.folder says it."""
    source: str | None = None
    store: Path | None = None
    max_readings: int | None = None
    """Stop after so many readings, refused ones included."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that is checked before a frame is looked at."""

    profile: DeviceProfile
    opened: Opened
    shelf: Shelf | None
    """The bundles that the device keeps; None where it runs ``--bundle`` and no other."""
    source: str


def run_daemon(
    options: DaemonOptions,
    sink: Sink,
    stop: StopRequest,
    report: Callable[[str], None],
    tally: Tally,
    supervisor: Supervisor | None = None,
) -> str:
    """Measure until the source ends, ``stop`` is asked for, the sink closes or enough readings are made.

    ``report`` is told of fallbacks, in one line each. ``tally`` counts, also where this raises.
    ``supervisor`` is told of readiness and of each turn of the measuring.
    Returns: the reason for which it stopped. Raises: AnalyteError of every kind.
    """
    supervisor = supervisor or nobody()
    with ExitStack() as stack:
        supervisor.start("bundle and engine", _PREPARE_S)
        ready = prepare(options, report)
        stack.callback(ready.opened.close)
        profile, opened = ready.profile, ready.opened
        # The store before the source: a camera must not stream while a large store is checked.
        supervisor.start("store", _STORE_S)
        path = options.store or profile.storage.path
        ran: dict[str, JsonValue] = {"bundle": opened.bundle.id, "artifact": opened.artifact.name}
        session = stack.enter_context(recorded_session(profile, options.device, path, ran, report))
        sent = stack.enter_context(sending(profile, options.device, path, opened, report))
        supervisor.start("camera", _CAMERA_S)
        page = None if profile.serve is None else _page(profile, options, sink)
        if page is not None:
            stack.callback(page.close)
        source = _open_source(ready, options, report)
        stack.callback(source.close)
        control = QualityControl(session.store, profile.control, opened.bundle.id)
        _report_control(control, report)
        runner = opened.runner(control.recalibration_of, ages=source.live)
        measurer: Measurer = runner.pipeline
        if ready.shelf is not None:
            measurer = _swap(ready, ready.shelf, runner, control, session, options, report, live=source.live)
            stack.callback(measurer.close)
        told = sink if page is None else page.sink
        recorder = Recorder(session.store, told, tally, frames=_refused_frames(profile), report=report)
        stack.callback(recorder.close)
        stack.callback(supervisor.stop)
        pause = None
        if page is not None:
            swap = measurer if isinstance(measurer, BundleSwap) else None
            running = (lambda: runner) if swap is None else (lambda: swap.running)
            source = page.open(
                source, path, running, control, session.store, recorder, ready.shelf, swap, sent
            )
            pause = page.gate.pause
            report(f"page: {page.address}")
        loop = Loop(
            source, measurer, recorder, stop, profile.measure,
            control.admitted, lambda: control.asked_s, supervisor, pause,
        )  # fmt: skip
        try:
            reason = loop.run(profile.measure.interval_s if source.live else 0.0, options.max_readings)
            recorder.wait()
        except SinkClosed as closed:
            reason = str(closed)
        session.reason = reason
        return reason


def _page(profile: DeviceProfile, options: DaemonOptions, sink: Sink) -> DevicePage:
    try:
        from analyte.runtime.serve.attached import DevicePage
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("analyte"):
            raise
        raise UnavailableError(
            "the page needs packages that are not installed", got=error, fix="pip install 'analyte[serve]'"
        ) from error
    return DevicePage(profile, options.device, sink)


def prepare(options: DaemonOptions, report: Callable[[str], None]) -> Prepared:
    """Open profile, bundle (its signature first, where the profile demands one) and engine, and prove the
    engine on golden images.

    Raises: ProfileError, InputError, IntegrityError, UnavailableError, ParityError, SettingsError.
    """
    where = options.device
    profile = load_profile(where)
    source = options.source or profile.camera.source
    if source is None:
        raise ProfileError("camera.source: is not set", where=where, fix="Set it there or pass --source")
    shelf = None if profile.bundles.folder is None else Shelf(profile.bundles.folder)
    if shelf is not None:
        path = _on_shelf(shelf, options.bundle, profile, where, report)
    elif options.bundle is not None:
        path = options.bundle
    else:
        raise SettingsError("--bundle is missing", where=where, fix="Pass it, or set bundles.folder")
    return Prepared(profile, open_to_measure(path, profile, report, where=where), shelf, source)


def _on_shelf(
    shelf: Shelf, given: Path | None, profile: DeviceProfile, where: Path, report: Callable[[str], None]
) -> Path:
    """Return the bundle that the shelf runs; ``given`` becomes that where it runs none yet."""
    active = shelf.state().active
    if active is None:
        if given is None:
            raise SettingsError(
                "no bundle is installed", where=shelf.folder, fix="Pass --bundle, or: analyte bundle install"
            )
        active = shelf.add(given, lambda path: open_for_use(path, profile, where=where)).id
        shelf.activate(active)
    elif given is not None and (other := open_bundle(given).id) != active:
        report(f"bundles.folder runs {active[:16]}, and not --bundle, {other[:16]}")
    return shelf.path(active)


def _open_source(ready: Prepared, options: DaemonOptions, report: Callable[[str], None]) -> FrameSource:
    camera, measure = ready.profile.camera, ready.profile.measure
    source = open_source(ready.source, camera, interval_s=measure.interval_s)
    if not source.live and camera.controls != ControlsSection():
        report("camera.controls: not for pictures in files, which are taken as they are")
    if measure.frames > 1 and measure.interval_s > 0 and not source.live:
        source.close()
        raise ProfileError(
            "measure.interval_s: a video would be stepped between the frames of one reading",
            where=options.device,
            expected="0 where measure.frames is more than 1",
            got=f"{measure.interval_s:g} s and {measure.frames} frames",
        )
    return source


def _refused_frames(profile: DeviceProfile) -> RefusedFrames | None:
    storage = profile.storage
    if storage.refused_frames is None:
        return None
    return RefusedFrames(storage.refused_frames, round(1e6 * storage.refused_frames_mb))


def _swap(
    ready: Prepared,
    shelf: Shelf,
    runner: Runner,
    control: QualityControl,
    session: Session,
    options: DaemonOptions,
    report: Callable[[str], None],
    *,
    live: bool,
) -> BundleSwap:
    section = ready.profile.bundles

    def open_runner(path: Path) -> Runner:
        opened = open_to_measure(path, ready.profile, report, where=options.device)
        return opened.runner(control.recalibration_of, ages=live)

    def switched(bundle: str) -> None:
        control.switch(bundle)
        _report_control(control, report)

    limits = None
    if section.max_difference is not None:
        limits = ShadowLimits(section.shadow_readings, section.max_difference, section.max_refused)
    return BundleSwap(
        shelf,
        runner,
        open_runner,
        session.store,
        shadow_readings=section.shadow_readings,
        limits=limits,
        switched=switched,
        report=report,
    )


def _report_control(control: QualityControl, report: Callable[[str], None]) -> None:
    """Say at the start what would else be found out from refused or uncorrected readings."""
    status = control.status()
    if status.remark:
        report(status.remark)
    if not status.admitted:
        report(f"readings are refused ({status.reason}): {status.detail}")
