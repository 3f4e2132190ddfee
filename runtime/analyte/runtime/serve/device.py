"""The real device behind page and API."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from pathlib import Path

import cv2

from analyte.contract.errors import SettingsError, UnavailableError
from analyte.contract.event import Role
from analyte.contract.profile import DeviceProfile
from analyte.contract.reading import Reason
from analyte.runtime.bundles.changes import BundleChanges, Person
from analyte.runtime.bundles.runner import Runner
from analyte.runtime.bundles.shelf import Shelf
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.device.clock import TIMESYNC, kernel_synchronised
from analyte.runtime.recorder import Recorder
from analyte.runtime.serve.gate import Gate, PageSink, Tap
from analyte.runtime.serve.instrument import DeviceStatus, Feature
from analyte.runtime.store.protocol import Trail

_GREEN = (80, 220, 80)
_LEAST_FREE_MB = 50.0
_CONTROL_S = 60.0
"""How long a control is waited for, seconds."""
_SHOWN_CONTROLS = 60
_FRAME_NAME = re.compile(r"[0-9TZ._a-f]+\.png")


@dataclass(frozen=True, slots=True)
class DeviceInstrument:
    """An `Instrument` over the parts of the daemon."""

    profile: DeviceProfile
    where: Path
    """The profile's file."""
    store: Path
    running: Callable[[], Runner]
    """What measures now."""
    control: QualityControl
    trail: Trail
    recorder: Recorder
    gate: Gate
    tap: Tap
    sink: PageSink
    shelf: Shelf | None

    def status(self) -> DeviceStatus:
        """See `Instrument`."""
        runner, found, frame = self.running(), self.control.status(), self.tap.newest
        free_mb = shutil.disk_usage(self.store.absolute().parent).free / 1e6
        label, newest = runner.bundle.manifest.label, self.sink.newest
        measure, recalibration = self.profile.measure, self.control.recalibration()
        features = [Feature.CONTROL] if found.materials else []
        if self.shelf is not None:
            features.append(Feature.BUNDLE)
        return DeviceStatus(
            device=self.profile.device.id,
            analyte=label.analyte,
            unit=label.unit,
            measuring=self.gate.measuring,
            bundle=runner.bundle.id,
            artifact=runner.artifact.name,
            calibration="" if recalibration is None else str(recalibration.version),
            frame_age_s=None if frame is None else max(0.0, time.monotonic() - frame.monotonic_s),
            max_age_s=2 * measure.interval_s + 5.0,
            model_ok=newest is None or newest.reason is not Reason.NOT_FINITE,
            disk_ok=free_mb >= _LEAST_FREE_MB,
            disk_free_mb=free_mb,
            clock_ok=kernel_synchronised() is not False or TIMESYNC.exists(),
            control_ok=found.admitted,
            control_detail=found.detail,
            locked=found.reason is Reason.CONTROL_FAILED,
            queue_depth=self.recorder.depth,
            materials=[one.material.name for one in found.materials],
            features=features,
        )

    def start(self) -> None:
        """See `Instrument`."""
        self.gate.measuring = True
        self.gate.ask()

    def stop(self) -> None:
        """See `Instrument`."""
        self.gate.measuring = False

    def measure_now(self) -> None:
        """See `Instrument`."""
        self.gate.ask()

    def picture(self) -> bytes | None:
        """See `Instrument`. Between markers regions refer to the rectified picture: then none are drawn."""
        frame, reading = self.tap.newest, self.sink.newest
        if frame is None:
            return None
        shown = frame.pixels.copy()
        if reading is not None and self.profile.region.markers is None:
            for x, y, w, h in reading.regions.values():
                cv2.rectangle(shown, (x, y), (x + w, y + h), _GREEN, 2)
        done, data = cv2.imencode(".jpg", shown)
        return data.tobytes() if done else None

    def refused_picture(self, name: str) -> bytes | None:
        """See `Instrument`."""
        folder = self.profile.storage.refused_frames
        if folder is None or not _FRAME_NAME.fullmatch(name):
            return None
        try:
            return (folder / name).read_bytes()
        except OSError:
            return None

    def run_control(self, material: str, who: str, role: Role) -> str:
        """See `Instrument`."""
        answer = self.control.expect(material, who, role)
        self.gate.ask()
        try:
            record = answer.result(_CONTROL_S)
        except LateError as error:
            answer.cancel()
            raise SettingsError("no reading came for the control", fix="Look at the camera") from error
        return "refused: measure it again" if record is None else str(record.outcome)

    def controls(self) -> list[dict[str, object]]:
        """See `Instrument`."""
        found: list[dict[str, object]] = []
        for stored in self.trail.events("control.measured", limit=100_000)[-_SHOWN_CONTROLS:]:
            new = stored.event.new
            if isinstance(new, dict) and "value" in new:
                kept = {name: new.get(name) for name in ("material", "value", "target", "s")}
                found.append({"at": stored.event.at, **kept, "passed": new.get("outcome") != "failed"})
        return found

    def calibrate(self, who: str, role: Role, why: str) -> str:
        """See `Instrument`."""
        raise UnavailableError("calibrating from the page is not available", fix="analyte qc recalibrate")

    def release(self, who: str, role: Role, why: str) -> None:
        """See `Instrument`."""
        self.control.release(who, role, why)

    def upload_bundle(self, path: Path, who: str, role: Role) -> str:
        """See `Instrument`."""
        bundle, _ = self._changes().install(path, Person(who, role), lambda text: None)
        return bundle.id

    def roll_back(self, who: str, role: Role, why: str) -> str:
        """See `Instrument`."""
        return self._changes().roll_back(Person(who, role, why))

    def _changes(self) -> BundleChanges:
        if self.shelf is None:
            raise UnavailableError("the device keeps one bundle only", fix="Set bundles.folder")
        return BundleChanges(self.shelf, self.profile, self.where, self.trail)
