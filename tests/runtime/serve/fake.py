"""A device that measures nothing, for page and API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.errors import InputError, SettingsError
from analyte.contract.event import Event, Role
from analyte.contract.reading import Flag, Reading, Reason
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.serve.context import Context
from analyte.runtime.serve.instrument import (
    DeviceStatus,
    Feature,
    MqttStatus,
    RecalibrationWish,
    StandardStatus,
    TrialStatus,
)
from analyte.runtime.serve.security import Gatekeeper
from analyte.runtime.serve.tokens import TokenFile
from analyte.runtime.store.protocol import ReadingFilter, StoredEvent, StoredReading
from runtime.store.readings import reading


class FakeLog:
    def __init__(self, readings: Sequence[Reading]) -> None:
        self.rows = [StoredReading(n, one.id, one.to_json()) for n, one in enumerate(readings, 1)]

    def newest(
        self, chosen: ReadingFilter, *, before: int | None = None, limit: int = 100
    ) -> Sequence[StoredReading]:
        found = [
            row
            for row in reversed(self.rows)
            if (before is None or row.sequence < before)
            and chosen.refused in (None, json.loads(row.json)["refused"])
        ]
        return found[:limit]

    def following(self, sequence: int, limit: int = 100) -> Sequence[StoredReading]:
        return [row for row in self.rows if row.sequence > sequence][:limit]

    def find(self, id: str) -> StoredReading | None:
        return next((row for row in self.rows if row.id == id), None)


class FakeTrail:
    def __init__(self) -> None:
        self.kept: list[Event] = []

    def add(self, event: Event) -> None:
        self.kept.append(event)

    def events(self, what: str = "", *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        return [StoredEvent(n, one) for n, one in enumerate(self.kept, 1) if one.what.startswith(what)]


class FakeInstrument:
    def __init__(self) -> None:
        self.measuring = True
        self.frame_age_s: float | None = 0.2
        self.calls: list[str] = []
        self.locked = True
        self.trial: TrialStatus | None = None
        self.measured: list[StandardStatus] = []

    def status(self) -> DeviceStatus:
        return DeviceStatus(
            device="bench-1",
            analyte="nitrate",
            unit="mg/L",
            measuring=self.measuring,
            bundle="ab" * 32,
            artifact="tflite-int8",
            calibration="3",
            frame_age_s=self.frame_age_s,
            max_age_s=5.0,
            model_ok=True,
            disk_ok=True,
            disk_free_mb=12345.0,
            clock_ok=True,
            control_ok=True,
            control_detail="",
            locked=self.locked,
            queue_depth=0,
            trial=self.trial,
            drift={"low": 0.4, "high": -1.2},
            mqtt=MqttStatus(broker="hub:8883", connected=False, waiting=3, remark="connection refused"),
            materials=["low", "high"],
            features=list(Feature),
        )

    def start(self) -> None:
        self.measuring = True
        self.calls.append("start")

    def stop(self) -> None:
        self.measuring = False
        self.calls.append("stop")

    def measure_now(self) -> None:
        self.calls.append("measure")

    def picture(self) -> bytes | None:
        pixels = np.full((240, 320, 3), 90, np.uint8)
        cv2.circle(pixels, (160, 120), 70, (60, 120, 210), -1)
        cv2.rectangle(pixels, (85, 45), (235, 195), (80, 220, 80), 3)
        return cv2.imencode(".jpg", pixels)[1].tobytes()

    def refused_picture(self, name: str) -> bytes | None:
        return cv2.imencode(".png", np.full((60, 80, 3), 40, np.uint8))[1].tobytes()

    def run_control(self, material: str, well: str, who: str, role: Role) -> str:
        if material not in ("low", "high"):
            raise SettingsError("no such material", got=material)
        self.calls.append(f"control {material}")
        return "passed"

    def controls(self) -> list[dict[str, object]]:
        return [
            {"at": f"2026-01-{day:02}T08:00:00+00:00", "material": "low",
             "value": 9.6 + 0.07 * (day * 5 % 11), "target": 10.0, "s": 0.2, "passed": day != 9}
            for day in range(1, 13)
        ]  # fmt: skip

    def standards(self) -> list[StandardStatus]:
        return list(self.measured)

    def measure_standard(self, known: float, well: str, who: str, role: Role) -> str:
        if known > 100:
            raise InputError("a standard lies outside the calibrated range", got=known)
        self.calls.append(f"standard {known:g}")
        self.measured.append(
            StandardStatus(
                id=f"s{len(self.measured)}", at="2026-01-12T08:00:00+00:00", who=who, known=known,
                reading=known + 1.5, sigma=0.3, used=False,
            )
        )  # fmt: skip
        return f"{known:g} mg/L is read as {known + 1.5:g} mg/L"

    def recalibrate(self, wish: RecalibrationWish, who: str, role: Role) -> str:
        self.calls.append(f"{wish.method} {' '.join(wish.standards)}")
        return "version 4"

    def undo_recalibration(self, who: str, role: Role, why: str) -> str:
        self.calls.append("undo")
        return "version 2 holds again"

    def release(self, who: str, role: Role, why: str) -> None:
        self.locked = False
        self.calls.append("release")

    def upload_bundle(self, path: Path, who: str, role: Role) -> str:
        if not path.read_bytes().startswith(b"PK"):
            raise InputError("not a packed bundle", where=path)
        self.calls.append("upload")
        return "cd" * 32

    def promote(self, who: str, role: Role, why: str) -> str:
        if self.trial is None:
            raise SettingsError("no such bundle on the device")
        self.calls.append("promote")
        return self.trial.bundle

    def roll_back(self, who: str, role: Role, why: str) -> str:
        self.calls.append("roll back")
        return "ab" * 32


def some_readings(count: int = 40) -> list[Reading]:
    made: list[Reading] = []
    for number in range(count):
        value = 10 + 3 * np.sin(number / 5)
        one = replace(
            reading(number), id=str(uuid.uuid4()), value=value, lower=value - 0.4, upper=value + 0.4,
            unit="mg/L", refused=False, reason=None, flags=(), site="", detail="",
            captured_at=f"2026-01-01T08:{number % 60:02}:00.000000+00:00",
        )  # fmt: skip
        if number % 9 == 4:
            one = replace(
                one, value=None, lower=None, upper=None, refused=True, reason=Reason.FOCUS,
                detail="expected focus at least 40; got 12", frame_file="a.png",
            )  # fmt: skip
        elif number % 7 == 3:
            one = replace(one, flags=(Flag.GLARE,))
        made.append(one)
    return made


def fake_context(tokens: Path | None, section: ServeSection | None = None) -> Context:
    keeper = Gatekeeper(None if tokens is None else TokenFile(tokens), 3600)
    return Context(
        section or ServeSection(upload_mb=1.0),
        FakeInstrument(),
        FakeLog(some_readings()),
        FakeTrail(),
        keeper,
    )
