"""The real device behind page and API."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import cv2

from analyte.contract.errors import SettingsError, UnavailableError
from analyte.contract.event import Role
from analyte.contract.numbers import number
from analyte.contract.profile import DeviceProfile
from analyte.contract.reading import Reason
from analyte.runtime.bundles.changes import BundleChanges, Person
from analyte.runtime.bundles.runner import Runner
from analyte.runtime.bundles.shelf import Shelf
from analyte.runtime.bundles.swap import BundleSwap
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.control.standards import Standards, summary
from analyte.runtime.device.clock import TIMESYNC, kernel_synchronised
from analyte.runtime.publish.status import PublisherStatus
from analyte.runtime.recorder import Recorder
from analyte.runtime.serve.gate import Gate, PageSink, Tap
from analyte.runtime.serve.instrument import (
    DeviceStatus,
    Feature,
    MqttStatus,
    RecalibrationWish,
    StandardStatus,
    TrialStatus,
)
from analyte.runtime.store.protocol import Trail

T = TypeVar("T")

_GREEN = (80, 220, 80)
_LEAST_FREE_MB = 50.0
_CONTROL_S = 60.0
"""How long the reading of a control or a standard is waited for, seconds."""
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
    bench: Standards
    trail: Trail
    recorder: Recorder
    gate: Gate
    tap: Tap
    sink: PageSink
    shelf: Shelf | None
    swap: BundleSwap | None
    sent: Callable[[], PublisherStatus] | None
    """How sending over MQTT stands; None where nothing is sent."""

    def status(self) -> DeviceStatus:
        """See `Instrument`."""
        runner, found, frame = self.running(), self.control.status(), self.tap.newest
        free_mb = shutil.disk_usage(self.store.absolute().parent).free / 1e6
        label, newest = runner.bundle.manifest.label, self.sink.newest
        measure, recalibration = self.profile.measure, self.control.recalibration()
        features = [Feature.CALIBRATE, *([Feature.CONTROL] if found.materials else [])]
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
            drift={one.material.name: one.drift for one in found.materials if one.drift is not None},
            mqtt=None if self.sent is None else _mqtt(self.sent()),
            trial=_trial(self.swap),
            verdict="" if self.swap is None else self.swap.verdict,
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

    def run_control(self, material: str, well: str, who: str, role: Role) -> str:
        """See `Instrument`."""
        record = self._next(self.control.expect(material, who, role, site=well))
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

    def standards(self) -> list[StandardStatus]:
        """See `Instrument`."""
        changed = [event.at for event in self.control.history() if event.what.startswith("recalibration.")]
        return [
            StandardStatus(
                id=one.record.id,
                at=one.at.isoformat(timespec="seconds"),
                who=one.who,
                known=one.record.known,
                reading=one.record.reading,
                sigma=one.record.sigma,
                used=bool(changed) and one.at < datetime.fromisoformat(changed[-1]),
            )
            for one in self.bench.newest()
        ]

    def measure_standard(self, known: float, well: str, who: str, role: Role) -> str:
        """See `Instrument`."""
        record = self._next(self.bench.expect(known, who, role, site=well))
        return f"{number(known)} {record.unit} is read as {number(record.value)} {record.unit}"

    def recalibrate(self, wish: RecalibrationWish, who: str, role: Role) -> str:
        """See `Instrument`."""
        return summary(
            self.bench.recalibrate(wish.method, wish.standards, who, role, wish.why, weighted=wish.weighted)
        )

    def undo_recalibration(self, who: str, role: Role, why: str) -> str:
        """See `Instrument`."""
        version = self.control.undo(who, role, why)
        return f"version {version} holds again" if version else "readings are no longer corrected"

    def release(self, who: str, role: Role, why: str) -> None:
        """See `Instrument`."""
        self.control.release(who, role, why)

    def upload_bundle(self, path: Path, who: str, role: Role) -> str:
        """See `Instrument`."""
        bundle, _ = self._changes().install(path, Person(who, role), lambda text: None)
        return bundle.id

    def promote(self, who: str, role: Role, why: str) -> str:
        """See `Instrument`."""
        return self._changes().promote(Person(who, role, why))

    def roll_back(self, who: str, role: Role, why: str) -> str:
        """See `Instrument`."""
        return self._changes().roll_back(Person(who, role, why))

    def _next(self, answer: Future[T]) -> T:
        """Return what the next reading, made at once, gives. Raises: SettingsError where none comes."""
        self.gate.ask()
        try:
            return answer.result(_CONTROL_S)
        except LateError as error:
            # It may have come this very moment: then it counts.
            if not answer.cancel():
                return answer.result()
            raise SettingsError("no reading came", fix="Look at the camera, then measure again") from error

    def _changes(self) -> BundleChanges:
        if self.shelf is None:
            raise UnavailableError("the device keeps one bundle only", fix="Set bundles.folder")
        return BundleChanges(self.shelf, self.profile, self.where, self.trail)


def _mqtt(found: PublisherStatus) -> MqttStatus:
    return MqttStatus(
        broker=found.broker,
        connected=found.connected,
        waiting=found.waiting,
        remark=found.last_error or found.note,
    )


def _trial(swap: BundleSwap | None) -> TrialStatus | None:
    if swap is None or (bundle := swap.candidate) is None or (found := swap.shadow) is None:
        return None
    return TrialStatus(
        bundle=bundle,
        compared=found.compared,
        mean_difference=found.mean_difference,
        largest=found.largest,
        refused_by_new=found.refused_by_new,
    )
